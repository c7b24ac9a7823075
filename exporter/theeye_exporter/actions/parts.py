"""The parts of the actions process: one for canaries, one for alerts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from starlette.routing import Route

from theeye_exporter.actions.connections import Connections
from theeye_exporter.actions.settings import ActionsSettings
from theeye_exporter.exposition.family import Family
from theeye_exporter.exposition.samples import Samples

__all__ = ["Line", "LineState", "Part", "View"]

LineState = Literal["ok", "bad", "wait", "warn"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table on the page.

    Attributes:
        state: How it is.
        name: What it is about.
        label: Its state in a word or two.
        cells: The other cells, as text.
        note: What is wrong, for people; may be empty.
    """

    state: LineState
    name: str
    label: str
    cells: tuple[str, ...]
    note: str = ""

    def labelled(self, columns: Sequence[str]) -> list[tuple[str, str]]:
        """Return the heading and the text of each cell."""
        return list(zip(columns, self.cells, strict=True))


@dataclass(frozen=True, slots=True)
class View:
    """One table on the page.

    Attributes:
        title: Its heading.
        noun: What a line is about.
        plural: The same in the plural; empty if the headline of the page says nothing about the lines.
        columns: Headings of the cells after the name.
        lines: The lines.
    """

    title: str
    noun: str
    plural: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...]


class Part(Protocol):
    """One kind of work of the process. Safe for threads."""

    families: Sequence[Family]
    """The metric families that it fills."""

    routes: Sequence[Route]
    """What it answers on the port, besides the common pages. If there are any, callers have to authenticate."""

    def apply(self, settings: ActionsSettings, connections: Connections) -> None:
        """Switch to a configuration; also called once before `start`."""

    def start(self) -> None:
        """Begin to work in the background."""

    def stop(self) -> None:
        """Begin nothing more; do not wait for what is running."""

    def waiting(self) -> Sequence[str]:
        """Return what has not had a first answer of TheEye, as names for people."""

    def stalled_for(self) -> float | None:
        """Return the seconds for which nothing was looked at, if that is too long; otherwise None."""

    def add_samples(self, samples: Samples) -> None:
        """Add the current values of the families."""

    def views(self) -> Sequence[View]:
        """Return the tables of the page."""
