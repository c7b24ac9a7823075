"""Checks the path of the state file."""

import stat
from pathlib import Path
from typing import Final

from theeye_exporter.config.document import cannot_read
from theeye_exporter.config.sources import Sources
from theeye_exporter.values.errors import InvalidValueError
from theeye_exporter.values.text import shown_path

__all__ = ["check_state_file"]

_HINT: Final = "; name a file in an existing folder"


def check_state_file(sources: Sources) -> None:
    """Report if the path cannot be that of a file."""
    path = sources.values["state"].get("file")
    if path is not None and (reason := _why_unusable(path)):
        sources.add_fault(("state", "file"), InvalidValueError(reason))


def _why_unusable(path: Path) -> str:
    """Return why the path cannot be that of a file; do not check its content or whether it is writable."""
    try:
        return f"is a folder, not a file: {shown_path(path)}{_HINT}" if stat.S_ISDIR(path.stat().st_mode) else ""
    except FileNotFoundError:
        # On the first start, there is no file yet.
        return "" if path.parent.is_dir() else f"no such folder: {shown_path(path.parent)}{_HINT}"
    except NotADirectoryError as error:
        return f"{cannot_read(error, path)}{_HINT}"
    except OSError as error:
        return cannot_read(error, path)
