"""Contexts and settings for tests of single collectors."""

from collections.abc import Mapping
from typing import Any, TypeVar

from theeye_exporter.clocks import Clocks
from theeye_exporter.collectors.base import CollectorKind, Context
from theeye_exporter.collectors.name_index import NameIndex
from theeye_exporter.collectors.registry import COLLECTORS
from theeye_exporter.collectors.settings import CollectorSettings
from theeye_exporter.config import CollectorsSettings
from theeye_exporter.ledger.records import Bounds
from theeye_exporter.ledger.run_ledger import RunLedger
from theeye_exporter.theeye.memory import UNBOUNDED, Room

__all__ = ["POLLED", "context_of", "every_collector"]

POLLED = tuple(kind for kind in COLLECTORS if kind.enabled)
"""The collectors that are polled unless settings say otherwise."""

S = TypeVar("S", bound=CollectorSettings)


def context_of(
    kind: CollectorKind[S],
    *,
    settings: Mapping[str, Any] | None = None,
    tags: bool = True,
    clocks: Clocks | None = None,
    names: Mapping[str, NameIndex] | None = None,
    ledger: RunLedger | None = None,
    room: Room = UNBOUNDED,
) -> Context[S]:
    """Return the context of a collector in an organisation "demo"; an index of names that is not given is empty."""
    return Context(
        organization="demo",
        settings=kind.default_settings().model_copy(update=settings or {}),
        tags=tags,
        timeout=20.0,
        clocks=clocks or Clocks(),
        names={needed.name: NameIndex() for needed in kind.needs} | dict(names or {}),
        ledger=ledger or RunLedger("demo", None, Bounds(None, None, None)),
        room=room,
        memory=kind.memory and kind.memory(),
    )


def every_collector(**settings: Any) -> CollectorsSettings:
    """Return the same settings for every collector; settings that only one kind has keep their defaults."""
    return CollectorsSettings(**{kind.name: kind.settings(**settings) for kind in COLLECTORS})
