"""Finds how much of SQLite's write-ahead log is damaged: SQLite stops reading at the damage, without an error.

The format is described at https://sqlite.org/fileformat2.html#the_write_ahead_log.
"""

import struct
from pathlib import Path
from typing import Final

__all__ = ["lost_commits"]

_HEADER: Final = struct.Struct(">8I")
_FRAME: Final = struct.Struct(">6I")


def lost_commits(log: Path, frames: int) -> int:
    """Return how many transactions SQLite could not read; 1 if their number is lost as well.

    The last transaction is not counted: if it cannot be read, the process was killed while writing it.

    Args:
        log: the log file, which may be missing.
        frames: number of frames that SQLite has read.
    """
    try:
        content = log.read_bytes()
    except OSError:
        return 0
    if len(content) < _HEADER.size + _FRAME.size:
        return 0
    magic, _, page_size, _, *salts, first, second = _HEADER.unpack_from(content)
    if _checksum(content[:24], big_endian=bool(magic & 1)) != (first, second):
        return 1
    commits = 0
    for at in range(_HEADER.size + frames * (_FRAME.size + page_size), len(content), _FRAME.size + page_size):
        if at + _FRAME.size > len(content):
            break
        _, commit, *found, _, _ = _FRAME.unpack_from(content, at)
        commits += bool(commit) and found == salts
    return max(0, commits - 1)


def _checksum(content: bytes, *, big_endian: bool) -> tuple[int, int]:
    first = second = 0
    for odd, even in struct.iter_unpack(">2I" if big_endian else "<2I", content):
        first = (first + odd + second) & 0xFFFFFFFF
        second = (second + even + first) & 0xFFFFFFFF
    return first, second
