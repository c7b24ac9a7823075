"""The web application on the exporter's port. No request to it causes a request to TheEye."""

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request

from theeye_exporter.clocks import Clocks
from theeye_exporter.exposition.snapshot import SnapshotStore
from theeye_exporter.polling.status import StatusBoard
from theeye_exporter.polling.telemetry import Telemetry
from theeye_exporter.web.humanize import span
from theeye_exporter.web.landing import Selection, landing_page
from theeye_exporter.web.lifecycle import Reload
from theeye_exporter.web.scrapes import Scrapes
from theeye_exporter.web.site import links_to, site
from theeye_exporter.web.troubles import find_troubles

__all__ = ["create_app"]


def create_app(  # noqa: PLR0913 - everything that is visible from outside meets here
    *,
    store: SnapshotStore,
    telemetry: Telemetry,
    board: StatusBoard,
    telemetry_path: str,
    clocks: Clocks,
    started: float,
    stalled_for: Callable[[], float | None],
    uncounted: Callable[[], frozenset[str]],
    reload: Reload | None = None,
) -> Starlette:
    """Build the application.

    Args:
        store: the samples of TheEye's objects.
        telemetry: the metrics of the process, which come at the end of each exposition.
        board: the status of the collectors, for readiness and the landing page.
        telemetry_path: path of the exposition, by default /metrics.
        clocks: the clocks to use.
        started: Unix time at which the exporter started.
        stalled_for: returns the seconds since the last poll started if polls are overdue, otherwise None.
        uncounted: returns the organisations whose runs are not counted, because the state file cannot be written.
        reload: reloads the configuration; None if requests must not do that.
    """

    def unhealthy() -> str:
        seconds = stalled_for()
        if seconds is None:
            return ""
        return f"no poll was started for {span(seconds)}; restart the exporter, and please report this"

    def render(request: Request) -> bytes:
        asked = request.query_params
        return landing_page(
            board.organizations,
            now=clocks.wall(),
            monotonic=clocks.monotonic(),
            started=started,
            links=links_to(telemetry_path),
            troubles=tuple(find_troubles(telemetry, store, stalled_for())),
            uncounted=uncounted(),
            selection=Selection.of(asked.get("search", ""), asked.get("state", ""), asked.getlist("open")),
        )

    return site(
        metrics=Scrapes(store, telemetry),
        telemetry_path=telemetry_path,
        unhealthy=unhealthy,
        waiting=lambda: board.waiting,
        page=render,
        reload=reload,
    )
