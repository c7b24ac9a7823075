"""Tests the lines for given webhooks."""

from collections import Counter
from typing import Any

import msgspec
import pytest

from contexts import context_of
from samples import lines
from theeye_exporter.collectors.base import Collection
from theeye_exporter.collectors.webhooks import KIND, WebhooksCollector
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.decode import Listing
from theeye_exporter.theeye.models import Webhook

OWN = 'organization="demo",webhook_id="w1",webhook="deploy"'
SOUND = {"id": "w1", "name": "deploy", "enable": True, "trigger_count": 2}


class FakeTheEye(TheEyeClient):
    """Lists what it is given."""

    def __init__(self, *webhooks: dict[str, Any]) -> None:
        self.listed = webhooks

    def webhooks(self) -> Listing[Webhook]:
        found = [msgspec.convert(webhook, Webhook) for webhook in self.listed]
        return Listing(found, skipped=Counter(malformed=2), date=7.0)


def listed(*webhooks: dict[str, Any]) -> Collection:
    return WebhooksCollector(context_of(KIND)).collect(FakeTheEye(*webhooks), 0)


def values(found: Collection, family: str) -> list[str]:
    """Return the values of a family's samples."""
    return [line.rpartition(" ")[2] for line in lines(found.samples) if line.startswith(f"theeye_webhook_{family}{{")]


def test_a_webhook_is_named_and_counted() -> None:
    found = listed(SOUND)
    assert lines(found.samples) == [
        f"theeye_webhook_enabled{{{OWN}}} 1",
        f"theeye_webhook_info{{{OWN}}} 1",
        f"theeye_webhook_triggers_total{{{OWN}}} 2",
    ]
    assert (found.objects, found.skipped, found.dropped) == (1, {"malformed": 2}, {})
    assert (found.date, found.names) == (7.0, None)


def test_a_disabled_webhook_still_counts() -> None:
    found = listed(SOUND | {"enable": False})
    assert (values(found, "enabled"), values(found, "triggers_total")) == (["0"], ["2"])


@pytest.mark.parametrize(
    ("count", "shown", "dropped"),
    [
        (0, ["0"], {}),
        (None, [], {"null": 1}),
        (-1, [], {"impossible": 1}),
        ("2", [], {"impossible": 1}),
        (True, [], {"impossible": 1}),
    ],
)
def test_an_invalid_count_is_absent(count: object, shown: list[str], dropped: dict[str, int]) -> None:
    found = listed(SOUND | {"trigger_count": count})
    assert values(found, "triggers_total") == shown
    assert found.dropped == dropped


@pytest.mark.parametrize(("enable", "shown"), [(True, ["1"]), (False, ["0"]), (None, []), ("no", []), (1, [])])
def test_a_webhook_is_enabled_or_not_or_does_not_say(enable: object, shown: list[str]) -> None:
    assert values(listed(SOUND | {"enable": enable}), "enabled") == shown


def test_a_deleted_webhook_has_no_lines() -> None:
    collector = WebhooksCollector(context_of(KIND))
    shown = [
        lines(collector.collect(FakeTheEye(*(SOUND | {"id": name} for name in names)), 0).samples)
        for names in ("ab", "b", "")
    ]
    assert [len(found) for found in shown] == [6, 3, 0]
    assert set(shown[1]) < set(shown[0])
