"""Where the state is kept: the file of the flag, or else that of the configuration file."""

import stat
from pathlib import Path

from theeye_exporter.config.document import Document, cannot_read, relative_hint
from theeye_exporter.config.problems import InvalidValueError, Report
from theeye_exporter.config.schema import StateSection

__all__ = ["find_state_file"]


def find_state_file(
    document: Document, section: StateSection | None, folder: Path, flag: Path | None, report: Report
) -> Path | None:
    """Return the path, noting why no file can be there; that of the configuration file is relative to ``folder``."""
    if flag is not None:
        reason = _why_unusable(flag)
        if reason:
            report.add_flag("--state.file", reason)
        return flag
    if section is None or section.file is None:
        return None
    path = folder / section.file
    reason = _why_unusable(path)
    if reason:
        document.add_fault(("state", "file"), InvalidValueError(reason, relative_hint(section.file)))
    return path


def _why_unusable(path: Path) -> str:
    """Return why no file can be there, without its name; what is in it, and whether it can be written, is not asked."""
    try:
        return "is a folder, not a file" if stat.S_ISDIR(path.stat().st_mode) else ""
    except FileNotFoundError:
        # So it is on the first start.
        return "" if path.parent.is_dir() else "the folder it should be in does not exist"
    except NotADirectoryError:
        return "the folder it should be in is a file"
    except OSError as error:
        return cannot_read(error)
