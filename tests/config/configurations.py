"""Loading a configuration in a test: the text of a file, flags as typed, and nothing of this machine's environment."""

import argparse
from collections.abc import Mapping
from pathlib import Path

import pytest

from theeye_exporter.config import ConfigError, Settings, add_flags
from theeye_exporter.config.loading import load
from theeye_exporter.config.organization_files import Kept

__all__ = ["CANARY", "configure", "problems_of"]

CANARY = "canary-0123456789abcdef"
"""A token that must not be seen anywhere."""


def configure(
    *flags: str,
    file: Path | None = None,
    text: str | None = None,
    environ: Mapping[str, str] | None = None,
    kept: Kept | None = None,
) -> Settings:
    """Load what the command line and the environment say; ``text`` is written to ``file`` first."""
    if text is not None:
        assert file is not None
        file.write_text(text, encoding="utf-8")
    parser = argparse.ArgumentParser()
    add_flags(parser)
    arguments = flags if file is None else (f"--config.file={file}", *flags)
    return load(parser.parse_args(arguments), environ or {}, kept)


def problems_of(
    *flags: str, file: Path | None = None, text: str | None = None, environ: Mapping[str, str] | None = None
) -> list[str]:
    """Return the problems, one line each, without the name of the file."""
    with pytest.raises(ConfigError) as caught:
        configure(*flags, file=file, text=text, environ=environ)
    return [str(problem).removeprefix(f"{file}:") for problem in caught.value.problems]
