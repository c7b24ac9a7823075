"""Changes jobs over HTTP: cancel, hold, release, enter arguments, restart."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from theeye_exporter.demo.answers import Answer, Body, forbidden, json_answer, unknown
from theeye_exporter.demo.jobs import Job
from theeye_exporter.demo.routes import Match
from theeye_exporter.demo.world import World

__all__ = ["JobActions"]

Fields = Mapping[str, Any]


class JobActions:
    """Answers the requests that change a job. None of them looks at the organisation of the job."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._handlers: Mapping[str, Callable[[Job, Fields, int], Answer]] = {
            "cancel": self._cancel,
            "hold": self._hold,
            "synced": self._synced,
            "enter": self._enter,
            "restart": self._restart,
        }

    def answer(self, found: Match, fields: Fields) -> Answer:
        """The answer to a request."""
        if found.route.kind == "forbidden":
            return forbidden("forbidden")
        if found.route.kind == "assignee":
            return json_answer(HTTPStatus.FORBIDDEN, {"statusCode": int(HTTPStatus.FORBIDDEN), "message": "Forbidden"})
        with self._world.acting() as now_ms:
            job = self._world.workload.jobs.get(found.id)
            return unknown("job", found.id) if job is None else self._handlers[found.route.kind](job, fields, now_ms)

    def _cancel(self, job: Job, _: Fields, now_ms: int) -> Answer:
        self._world.workload.cancel(job, now_ms)
        return Answer(HTTPStatus.NO_CONTENT, Body([]))  # whatever happened, also if nothing did

    def _hold(self, job: Job, _: Fields, now_ms: int) -> Answer:
        if job.lifecycle in {"assigned", "started"}:
            return _not_syncing(job)
        self._world.workload.set_lifecycle(job, "onhold", now_ms)  # also a job that has ended
        return json_answer(HTTPStatus.OK, "ok")

    def _synced(self, job: Job, _: Fields, now_ms: int) -> Answer:
        if job.lifecycle != "syncing":
            return _not_syncing(job)
        self._world.workload.set_lifecycle(job, "ready", now_ms)
        return json_answer(HTTPStatus.OK, "ok")

    def _enter(self, job: Job, fields: Fields, now_ms: int) -> Answer:
        if job.lifecycle != "onhold":
            return json_answer(HTTPStatus.BAD_REQUEST, "only on hold jobs allowed")
        job.arguments = list(fields.get("task_arguments", job.arguments))
        job.last_update_ms = now_ms
        self._world.workload.set_lifecycle(job, "ready", now_ms)
        return json_answer(HTTPStatus.OK, self._document(job))

    def _restart(self, job: Job, fields: Fields, now_ms: int) -> Answer:
        if not job.ended:
            return json_answer(HTTPStatus.BAD_REQUEST, "Only completed jobs allowed")
        job.arguments = list(fields.get("task_arguments", job.arguments))
        self._world.workload.restart(job, now_ms)
        document = {**self._document(job), "trigger_name": None}
        del document["output"]
        return json_answer(HTTPStatus.OK, document)

    def _document(self, job: Job) -> dict[str, Any]:
        return job.detailed(self._world.organization)


def _not_syncing(job: Job) -> Answer:
    return json_answer(HTTPStatus.BAD_REQUEST, f"job lifecycle must be syncing. {job.lifecycle} is set")
