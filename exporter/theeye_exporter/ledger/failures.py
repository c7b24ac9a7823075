"""Explains in one line why the state file cannot be used, and what to do."""

import os
import sqlite3
from pathlib import Path
from typing import Final

__all__ = ["BEGIN_ANEW", "LedgerError", "failure", "one_line", "require_permission"]

BEGIN_ANEW: Final = "move the file away (counters then start at 0)"
_FREE_SPACE: Final = "free disk space, or check whether the disk is broken"
_PERMIT: Final = "give the user of the process write access to the file and its folder"
_REMEDIES: Final = {
    sqlite3.SQLITE_BUSY: "stop that process, or use another state file",
    sqlite3.SQLITE_CANTOPEN: "use a path in an existing folder",
    sqlite3.SQLITE_FULL: _FREE_SPACE,
    sqlite3.SQLITE_IOERR: _FREE_SPACE,
    sqlite3.SQLITE_PERM: _PERMIT,
    sqlite3.SQLITE_READONLY: _PERMIT,
}


class LedgerError(Exception):
    """The state file cannot be used; the text says why, and what to do, in one line."""


def failure(verb: str, path: Path, error: Exception, *, anew: str = BEGIN_ANEW) -> LedgerError:
    """Return the explanation of an error from SQLite or from encoding a row.

    Args:
        verb: what failed: open, use, read or write.
        path: the state file.
        error: the error.
        anew: what to do with a file that cannot be read any more.
    """
    if path.is_dir():
        return LedgerError(f"cannot {verb} state file {path}: it is a folder; move it away, or name a file")
    denied = "" if verb == "write" else _no_permission(path)
    if denied:
        remedy = _PERMIT
    elif verb != "write" and _is_readonly(error):
        # SQLite opens a file with a write version that it does not know for reading only (its file format, 1.3.3).
        return LedgerError(f"cannot {verb} state file {path}: it is corrupt: its header forbids writing; {anew}")
    elif isinstance(error, sqlite3.ProgrammingError):
        remedy = "restart the process"
    elif isinstance(error, sqlite3.Error):
        remedy = _REMEDIES.get(error.sqlite_errorcode & 0xFF, anew)
    else:
        remedy = anew if verb == "use" else "please report this"
    return LedgerError(f"cannot {verb} state file {path}: {denied or _reason(error)}; {remedy}")


def require_permission(path: Path) -> None:
    """Raise `LedgerError` if the process may not write the state file or its folder."""
    if denied := _no_permission(path):
        raise LedgerError(f"cannot open state file {path}: {denied}; {_PERMIT}")


def _is_readonly(error: Exception) -> bool:
    return isinstance(error, sqlite3.Error) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_READONLY


def _reason(error: Exception) -> str:
    if "locked" in str(error):
        return "another process uses it"
    if isinstance(error, UnicodeDecodeError):  # in SQLite's message, which quotes the bad text
        return "it is corrupt"
    return one_line(str(error)).rstrip(".")


def _no_permission(path: Path) -> str:
    """Return the missing permission, in clearer words than SQLite's; empty if that is not the problem."""
    # Check permissions without opening the file: closing it would release this process's locks on it.
    effective = os.access in os.supports_effective_ids
    if path.exists() and not os.access(path, os.R_OK | os.W_OK, effective_ids=effective):
        return "no permission to read and write it"
    if path.parent.is_dir() and not os.access(path.parent, os.W_OK | os.X_OK, effective_ids=effective):
        return "no permission to write its folder"
    return ""


def one_line(text: str) -> str:
    """Return any text as one printable line."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(text.split()))[:200]
