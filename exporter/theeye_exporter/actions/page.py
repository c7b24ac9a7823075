"""The page of `theeye-exporter actions` for people."""

from collections.abc import Mapping, Sequence

from theeye_exporter.actions.parts import View
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
        states = [line.state for view in views if view.noun == noun for line in view.lines]
        bad, total = states.count("bad"), len(states)
        plural = next(view.plural for view in views if view.noun == noun)
        every = f"The {noun}" if total == 1 else f"All {total:,} {plural}"
        if bad:
            said.append(
                f"{every if bad == total else f'{bad:,} of {total:,} {plural}'} {'fails' if bad == 1 else 'fail'}"
            )
        elif states.count("wait") == total:
            said.append(f"{every} {'waits' if total == 1 else 'wait'} for the first result")
        elif (ok := states.count("ok")) < total:
            said.append(f"{ok:,} of {total:,} {plural} {'works' if ok == 1 else 'work'}, waiting for the others")
        else:
            said.append(f"{every} {'works' if total == 1 else 'work'}")
    return "; ".join(said) or "Nothing is configured"
