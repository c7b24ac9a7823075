"""Rejects responses that may hide an error: TheEye answers `200 []` to some database errors."""

from typing import Final

from theeye_exporter.theeye.errors import Reason, UpstreamError

__all__ = ["Doubt"]

_DOUBTED: Final = 2


class Doubt:
    """Rejects an empty list where there were objects before, twice in a row, and accepts it the third time."""

    def __init__(self) -> None:
        self._in_a_row = 0

    def check(self, *, suspect: bool, detail: str) -> None:
        """Raise `UpstreamError` if the list cannot be trusted yet.

        Args:
            suspect: whether it is empty where there were objects before.
            detail: what to say then.
        """
        self._in_a_row = self._in_a_row + 1 if suspect else 0
        if 0 < self._in_a_row <= _DOUBTED:
            raise UpstreamError(Reason.EMPTY_LIST, detail)
        self._in_a_row = 0
