"""The endpoint of the metrics."""

from collections.abc import Callable
from itertools import chain
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from theeye_exporter.exposition.snapshot import SnapshotStore, gzip_end
from theeye_exporter.polling.telemetry import Telemetry
from theeye_exporter.web.filters import FilterError, read_filters
from theeye_exporter.web.negotiation import accepts_gzip, choose_format
from theeye_exporter.web.responses import COMMON_HEADERS, Pieces, line

__all__ = ["Scrapes"]

_BAD_REQUEST: Final = 400


class Scrapes:
    """Answers scrapes from the snapshot.

    Args:
        store: the samples of collectors, and the exporter's own metrics of each organisation.
        telemetry: the metrics of the process, which come at the end of each exposition.
        refresh: called before each response, so that the snapshot is current.
    """

    def __init__(
        self, store: SnapshotStore, telemetry: Telemetry, refresh: Callable[[], object] = lambda: None
    ) -> None:
        self._refresh = refresh
        self._store = store
        self._telemetry = telemetry

    async def __call__(self, request: Request) -> Response:
        """Answer a request."""
        try:
            selection = read_filters(request.query_params, self._telemetry) if request.url.query else None
        except FilterError as error:
            return line(str(error), _BAD_REQUEST)
        self._refresh()
        fmt, content_type = choose_format(_joined(request, "accept"))
        snapshot = self._store.current()  # only once, so that the whole response is from one moment
        if selection is None:
            tail = self._telemetry.exposition(fmt)
        else:
            snapshot, tail = snapshot.only(selection.has), self._telemetry.exposition(fmt, selection.has_process)
        headers = COMMON_HEADERS | {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
        if not accepts_gzip(_joined(request, "accept-encoding")):
            return Pieces(chain(snapshot.identity(fmt), (tail,)), snapshot.length(fmt) + len(tail), headers)
        encoded = snapshot.encoded(fmt)
        pieces = (*encoded.data, gzip_end(encoded, tail))
        return Pieces(pieces, sum(map(len, pieces)), headers | {"Content-Encoding": "gzip"})


def _joined(request: Request, name: str) -> str | None:
    """Return all fields of a header as one (RFC 9110, section 5.2)."""
    values = request.headers.getlist(name)
    return ", ".join(values) if values else None
