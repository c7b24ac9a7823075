"""The documents of the project, and the code in them."""

import re
import shlex
from pathlib import Path
from typing import Final

__all__ = ["ROOT", "code_blocks", "document", "filled_in", "without_code"]

ROOT: Final = Path(__file__).parents[1]

_BLOCK: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def document(name: str) -> str:
    """Return the text of a document, by its path from the root."""
    return (ROOT / name).read_text()


def code_blocks(text: str, language: str) -> list[str]:
    """Return the code blocks of a language in a Markdown text."""
    return [code for of, code in _BLOCK.findall(text) if of == language]


def without_code(text: str) -> str:
    """Return a Markdown text without its code blocks."""
    return _BLOCK.sub("", text)


def filled_in(command: str, **environment: str) -> list[str]:
    """Return the words of a command in a Compose file, after Compose has filled in `${VARIABLE:+text}`."""
    return shlex.split(re.sub(r"\$\{(\w+):\+(.*?)\}", lambda at: at[2] if environment.get(at[1]) else "", command))
