"""What Alertmanager is answered, and that each answer is counted."""

import asyncio
import json
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from structlog.testing import capture_logs

from actions.alerting import PLAN, World
from theeye_exporter.actions.alert_families import REQUESTS
from theeye_exporter.actions.alert_view import add_samples
from theeye_exporter.actions.arguments import ArgumentRule, Relabelling
from theeye_exporter.actions.receiver import Receiver
from theeye_exporter.exposition.samples import Samples


class Broken(Relabelling):
    """A mistake in our program."""

    def text(self, labels: Mapping[str, str]) -> str:
        raise RuntimeError(f"{len(labels)} labels")


def answer(receiver: Receiver, body: object, action: str = "restart") -> Response:
    sent = iter([{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}])

    async def receive() -> dict[str, object]:
        return next(sent)

    scope = {
        "type": "http",
        "method": "POST",
        "path": f"/api/v1/alerts/{action}",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
        "path_params": {"action": action},
    }

    async def ask() -> Response:
        response = await receiver.routes[0].endpoint(Request(scope, receive))
        assert isinstance(response, Response)
        return response

    return asyncio.run(ask())


def test_our_own_errors_are_answered_logged_and_counted(tmp_path: Path) -> None:
    world = World(tmp_path, replace(PLAN, rules=(ArgumentRule(Broken(("instance",))),)))
    world.model.wait(60.0)
    receiver = Receiver(lambda: world.runs, lambda: world.model.now, threading.Lock())
    start = datetime.fromtimestamp(world.model.now, UTC).isoformat()
    alert = {"labels": {"alertname": "Down"}, "status": "firing", "startsAt": start}
    with capture_logs() as logs:
        said = answer(receiver, {"version": "4", "alerts": [alert]})
    assert (said.status_code, said.body) == (500, b"internal error; see the log\n")
    assert [entry["event"] for entry in logs] == ["request failed with an internal error"]
    assert answer(receiver, {"version": "4", "alerts": []}, "other").status_code == 404
    samples = Samples()
    add_samples(samples, world.runs, receiver.answers, world.model.now)
    counted = {labels: value for labels, value in samples[REQUESTS] if value}
    assert list(counted.values()) == [1.0]
    assert 'code="500"' in next(iter(counted))
    world.close()
