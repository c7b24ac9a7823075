"""Notices that a file has changed."""

import time
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["Fingerprint", "fingerprint"]

_TICK_NS: Final = 20_000_000
"""Two changes within this time can have the same timestamp."""


class Fingerprint(NamedTuple):
    """Identifies one state of a file."""

    device: int = 0
    inode: int = 0
    size: int = 0
    modified_ns: int = 0
    changed_ns: int = 0
    looked_ns: int = 0
    """When it was read, if the file had changed so recently that another change could go unnoticed; otherwise 0."""

    @property
    def settled(self) -> "Fingerprint":
        """The fingerprint without the time of reading."""
        return self._replace(looked_ns=0)


def fingerprint(path: Path) -> Fingerprint:
    """Return the fingerprint of a file; it is the same for all missing files."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return Fingerprint()
    now = time.time_ns()
    looked = now if 0 <= now - status.st_ctime_ns < _TICK_NS else 0
    return Fingerprint(
        status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, looked_ns=looked
    )
