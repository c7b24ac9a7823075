"""Reads the files of ``organization_files:``, each with one organisation or a list of them."""

import glob
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from theeye_exporter.config.document import Document, read_items
from theeye_exporter.config.problems import Report
from theeye_exporter.config.sources import Sources

__all__ = ["Kept", "Listing", "read_organization_files"]

Kept = dict[Path, tuple[dict[str, Any], ...]]
"""Organisations by file, as of when the file was last valid."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The organisations that one file lists.

    Attributes:
        document: the file.
        sections: its organisations; relative paths start at the folder of the file.
        report: receives its mistakes.
        kept: the organisations that are in effect if the file has mistakes; None if mistakes make the configuration invalid.
    """

    document: Document
    sections: tuple[dict[str, Any], ...]
    report: Report
    kept: tuple[dict[str, Any], ...] | None = None

    @property
    def replaced(self) -> bool:
        """Whether the file has mistakes, and what was kept is in effect."""
        return self.kept is not None and not self.document.valid

    @property
    def effective(self) -> tuple[dict[str, Any], ...]:
        """The organisations in effect."""
        return (self.kept or ()) if self.replaced else self.sections


def read_organization_files(sources: Sources, kept: Kept | None) -> dict[Path, Listing]:
    """Return what each file lists, by its path; a file that two patterns match is read once.

    Args:
        sources: all other sources.
        kept: former organisations by file; None to report mistakes like those of the configuration file.
    """
    found = {}
    for path in dict.fromkeys(_paths(sources)):
        report = sources.report if kept is None else Report()
        document = read_items(path, report, "organizations", "the keys of an organisation")
        sections = sources.checked(document, path.parent).get("organizations", ())
        found[path] = Listing(document, sections, report, None if kept is None else kept.get(path, ()))
    return found


def _paths(sources: Sources) -> Iterator[Path]:
    for pattern in sources.file.get("organization_files", ()):
        if glob.has_magic(pattern):
            # Unlike this one, the glob of pathlib does not leave out hidden files.
            names = sorted(glob.glob(pattern, root_dir=sources.folder))  # noqa: PTH207
            yield from (path for name in names if not (path := sources.folder / name).is_dir())
        else:
            yield sources.folder / pattern  # it must exist, or it is reported
