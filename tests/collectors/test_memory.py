"""Every collector stops as soon as there is no room for what it makes of the objects that TheEye lists."""

import json
from typing import Any

import pytest

from contexts import context_of
from theeye_exporter.collectors.base import Collection, CollectorKind
from theeye_exporter.collectors.registry import COLLECTORS
from theeye_exporter.theeye import memory
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.memory import UNBOUNDED, LargeAnswers, Place, Room
from theeye_exporter.theeye.patience import Patience
from theeye_exporter.theeye.transport import Answer

MEBIBYTE = 2**20


class Lists:
    """A transport that lists this many objects at every route, and then lets the process have taken `taken` MiB."""

    def __init__(self, objects: int, taken: int = 0, monkeypatch: pytest.MonkeyPatch | None = None) -> None:
        listed = [
            {"id": f"{number}", "lifecycle": "finished", "state": "success", "last_update": "2026-11-22T13:09:05Z"}
            for number in range(objects)
        ]
        self._body = json.dumps(listed).encode()
        self._taken = taken
        self.patience = Patience(10.0, 300.0)
        self._monkeypatch = monkeypatch

    def current_token(self) -> str:
        return "a-token"

    def get(self, *_args: object, **_options: object) -> Answer:
        if self._monkeypatch is not None:
            self._monkeypatch.setattr(memory, "resident_at_start", lambda: 50 * MEBIBYTE)
            self._monkeypatch.setattr(memory, "resident", lambda: self._taken * MEBIBYTE)
        return Answer(bytearray(self._body), None, UNBOUNDED, Place(LargeAnswers(1)))


def collect(kind: CollectorKind[Any], objects: int, taken: int, monkeypatch: pytest.MonkeyPatch) -> Collection:
    transport: Any = Lists(objects, taken, monkeypatch)
    collector = kind.make(context_of(kind, room=Room(64 * MEBIBYTE)))
    return collector.collect(TheEyeClient(transport, "demo"), 0.0)


def lists(kind: CollectorKind[Any]) -> bool:
    """Whether the collector lists objects; others ask for one thing of a known size."""
    transport: Any = Lists(3)
    try:
        return kind.make(context_of(kind)).collect(TheEyeClient(transport, "demo"), 0.0).objects == 3
    except UpstreamError:
        return False


LISTING = [kind for kind in COLLECTORS if lists(kind)]


@pytest.mark.parametrize("kind", LISTING, ids=lambda kind: kind.name)
@pytest.mark.parametrize(
    ("objects", "taken"),
    [(500, 577), (501, 480)],
    ids=["few, above the limit", "many, near the limit"],
)
def test_a_collector_stops_without_room(
    objects: int, taken: int, kind: CollectorKind[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UpstreamError) as caught:
        collect(kind, objects, taken, monkeypatch)
    assert caught.value.reason is Reason.OUT_OF_RESOURCES


@pytest.mark.parametrize("kind", LISTING, ids=lambda kind: kind.name)
@pytest.mark.parametrize(("objects", "taken"), [(500, 570), (501, 470)])
def test_a_collector_goes_on_with_room(
    objects: int, taken: int, kind: CollectorKind[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert collect(kind, objects, taken, monkeypatch).objects == objects
