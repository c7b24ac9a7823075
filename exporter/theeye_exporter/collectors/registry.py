"""The list of all collectors; everything that depends on which collectors exist is derived from it."""

from typing import Any, Final

from theeye_exporter.collectors import hosts, hoststats, indicators, jobs, monitors, server, tasks, webhooks, workflows
from theeye_exporter.collectors.base import CollectorKind
from theeye_exporter.exposition.family import Family

__all__ = ["CATALOGUE", "COLLECTORS", "in_order"]


def in_order(*kinds: CollectorKind[Any]) -> tuple[CollectorKind[Any], ...]:
    """Return the kinds unchanged, after checking their order and names.

    Raises:
        ValueError: one comes before another that it needs, or has the name of another.
    """
    for position, kind in enumerate(kinds):
        if kind.name in {earlier.name for earlier in kinds[:position]}:
            raise ValueError(f"two collectors are called {kind.name}")
        if missing := [needed.name for needed in kind.needs if needed not in kinds[:position]]:
            raise ValueError(f"{kind.name} needs {', '.join(missing)} before it")
    return kinds


COLLECTORS: Final = in_order(
    monitors.KIND,
    tasks.KIND,
    workflows.KIND,
    jobs.KIND,
    hosts.KIND,
    hoststats.KIND,
    indicators.KIND,
    webhooks.KIND,
    server.KIND,
)
"""In the order in which they are polled and shown."""

CATALOGUE: Final[tuple[Family, ...]] = tuple(family for kind in COLLECTORS for family in kind.families)
"""Every family, in the order in which an exposition shows them."""
