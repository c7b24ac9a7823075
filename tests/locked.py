"""Reads the versions in requirements.lock."""

import re
from pathlib import Path

__all__ = ["locked_for_linux"]


def locked_for_linux() -> dict[str, str]:
    """Return the versions by name that are installed on Linux."""
    text = (Path(__file__).parents[1] / "requirements.lock").read_text()
    pins = re.findall(r"^(\S+)==(\S+)( ; [^\\\n]*)?", text, re.MULTILINE)
    return {name: version for name, version, marker in pins if "'win32'" not in marker}
