"""The endpoint of the metrics."""

from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from theeye_exporter.exposition.snapshot import SnapshotStore, gzip_end
from theeye_exporter.telemetry import Telemetry
from theeye_exporter.web.filters import FilterError, read_filters
from theeye_exporter.web.negotiation import accepts_gzip, choose_format
from theeye_exporter.web.responses import COMMON_HEADERS, Pieces, line

__all__ = ["Scrapes"]

_BAD_REQUEST: Final = 400

_FEW: Final = 10
"""Organisations whose own metrics are rendered in some hundredths of a second."""


class Scrapes:
    """Answers scrapes from the snapshot.

    Args:
        store: the samples of TheEye's objects.
        telemetry: the exporter's own metrics, which end each exposition.
    """

    def __init__(self, store: SnapshotStore, telemetry: Telemetry) -> None:
        self._store = store
        self._telemetry = telemetry

    async def __call__(self, request: Request) -> Response:
        """Answer a request."""
        if self._telemetry.organizations <= _FEW:
            return self._answer(request)
        # Everything but the own metrics is ready. With so many of those, nobody else shall wait for them.
        return await run_in_threadpool(self._answer, request)

    def _answer(self, request: Request) -> Response:
        try:
            selection = read_filters(request.query_params, self._telemetry) if request.url.query else None
        except FilterError as error:
            return line(str(error), _BAD_REQUEST)
        fmt, content_type = choose_format(_joined(request, "accept"))
        snapshot = self._store.current()  # once: all of the answer is from one moment
        if selection is None:
            tail = self._telemetry.exposition(fmt)
        else:
            snapshot, tail = snapshot.only(selection.has), self._telemetry.exposition(fmt, selection.has_own)
        headers = COMMON_HEADERS | {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
        if not accepts_gzip(_joined(request, "accept-encoding")):
            return Pieces((*snapshot.identity(fmt), tail), headers)
        encoded = snapshot.encoded(fmt)
        return Pieces((*encoded.data, gzip_end(encoded, tail)), headers | {"Content-Encoding": "gzip"})


def _joined(request: Request, name: str) -> str | None:
    """Return all fields of a header as one (RFC 9110, section 5.2)."""
    values = request.headers.getlist(name)
    return ", ".join(values) if values else None
