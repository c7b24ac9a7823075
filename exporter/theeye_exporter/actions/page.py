"""The page of `theeye-exporter actions` for people."""

from collections import Counter
from collections.abc import Mapping, Sequence

from theeye_exporter.actions.parts import LineState, View
from theeye_exporter.web.page_parts import render_page
from theeye_exporter.web.troubles import Trouble

__all__ = ["actions_page"]


def actions_page(
    views: Sequence[View], *, now: float, started: float, links: Mapping[str, str], troubles: Sequence[Trouble] = ()
) -> bytes:
    """Render the page as UTF-8.

    Args:
        views: The tables.
        now: Unix time, in seconds.
        started: Unix time at which the process started.
        links: Paths of the pages from the root, by link text.
        troubles: Problems of the process itself.
    """
    headline = " and ".join([_headline(views), *(trouble.brief for trouble in troubles)])
    return render_page(
        "actions", headline=headline, now=now, started=started, links=links, views=views, troubles=troubles
    )


def _headline(views: Sequence[View]) -> str:
    """Say how it is with the lines of each kind."""
    said = []
    for noun in dict.fromkeys(view.noun for view in views if view.plural):
        states = Counter(line.state for view in views if view.noun == noun for line in view.lines)
        plural = next(view.plural for view in views if view.noun == noun)
        said.append(_of_kind(states, noun, plural))
    return "; ".join(said) or "Nothing is configured"


def _of_kind(states: Counter[LineState], noun: str, plural: str) -> str:
    total = states.total()

    def clause(count: int, one: str, several: str) -> str:
        every = f"The {noun}" if total == 1 else f"All {total:,} {plural}"
        return f"{every if count == total else f'{count:,} of {total:,} {plural}'} {one if count == 1 else several}"

    troubled = [clause(states["bad"], "fails", "fail")] if states["bad"] else []
    troubled += [clause(states["warn"], "has a problem", "have problems")] if states["warn"] else []
    if troubled:
        return ", and ".join(troubled)
    if states["wait"] == total:
        return clause(total, "waits for the first result", "wait for the first result")
    works = clause(states["ok"], "works", "work")
    return f"{works}, waiting for the others" if states["wait"] else works
