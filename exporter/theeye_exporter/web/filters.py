"""Reads which part of the metrics a scrape requests: `collect[]`, `exclude[]` and `name[]` in its query."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from starlette.datastructures import QueryParams

from theeye_exporter.collectors.registry import COLLECTORS
from theeye_exporter.exposition.family import Family
from theeye_exporter.polling.families import EXPORTER
from theeye_exporter.polling.telemetry import PUBLISHED, Telemetry
from theeye_exporter.web.humanize import clean, listed

__all__ = ["FilterError", "Selection", "read_filters"]

_COLLECTORS: Final = (*(kind.name for kind in COLLECTORS), EXPORTER)
_SAMPLE_ENDINGS: Final = ("_bucket", "_sum", "_count")
_COLLECT: Final = "collect[]"
_EXCLUDE: Final = "exclude[]"
_NAME: Final = "name[]"


class FilterError(Exception):
    """The filters are invalid; the text says why, in one line."""


@dataclass(frozen=True, slots=True)
class Selection:
    """A part of the metrics.

    Attributes:
        collectors: the collectors whose metrics are wanted; the exporter itself counts as one.
        names: the wanted metrics, as queries name them; None for all.
    """

    collectors: frozenset[str]
    names: frozenset[str] | None

    def has(self, family: Family, collector: str) -> bool:
        """Whether a collector's samples of a family are part of it."""
        return collector in self.collectors and (self.names is None or family.name in self.names)

    def has_process(self, name: str) -> bool:
        """Whether a metric of the process is part of it."""
        return EXPORTER in self.collectors and (self.names is None or name in self.names)


def read_filters(query: QueryParams, telemetry: Telemetry) -> Selection | None:
    """Return the selection of a query; None if it filters nothing.

    Args:
        query: the query.
        telemetry: the metrics of the process.

    Raises:
        FilterError: a filter is invalid or names something unknown.
    """
    collect, exclude, names = (query.getlist(key) for key in (_COLLECT, _EXCLUDE, _NAME))
    if not (collect or exclude or names):
        return None
    if collect and exclude:
        raise FilterError(f"use either {_COLLECT} or {_EXCLUDE}, not both")
    for key, given in ((_COLLECT, collect), (_EXCLUDE, exclude)):
        for name in given:
            if name not in _COLLECTORS:
                raise FilterError(
                    f"{key}: no collector is called {_shown(name)}; the collectors are {', '.join(_COLLECTORS)}"
                )
    known = telemetry.names.union(family.name for family in PUBLISHED)
    return Selection(
        collectors=frozenset(collect or _COLLECTORS).difference(exclude),
        names=frozenset(_metric(name, known) for name in names) if names else None,
    )


def _metric(name: str, known: frozenset[str]) -> str:
    """Return the metric with this name; the name of one of its samples also works."""
    if name in known:
        return name
    for ending in _SAMPLE_ENDINGS:
        if name.endswith(ending) and (stem := name.removesuffix(ending)) in known:
            return stem
    near = get_close_matches(name[:100], known, n=3)
    hint = f"did you mean {listed(near, at_most=3)}? " if near else ""
    raise FilterError(f"{_NAME}: no metric is called {_shown(name)}; {hint}the metrics are {', '.join(sorted(known))}")


def _shown(name: str) -> str:
    return repr(clean(name[:100]))
