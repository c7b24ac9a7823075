"""Explains syntax errors of YAML in our own words: PyYAML's messages can repeat content of the file."""

from typing import Final

import yaml

__all__ = ["explain_syntax_error"]

_BY_PROBLEM: Final = {
    "found undefined alias": "an alias (*) without its anchor (&); a value that starts with * needs quotes",
    "found character '\\t'": "a tab; indent YAML with spaces",
    "found character": "a value that starts with a special character needs quotes",
    "sequence entries are not allowed": 'unexpected "- "; a list starts on a line of its own',
    "mapping keys are not allowed": 'unexpected "? "; a value that starts with ? needs quotes',
    "mapping values are not allowed": 'unexpected ": "; check the indentation, and quote values with a colon',
    "expected <block end>": "the indentation does not fit the lines above",
    "could not find expected ':'": 'expected "KEY: VALUE", with a space after the colon',
    "found unexpected end of stream": "a quote that is never closed",
    "found unexpected document separator": "a quote is still open where --- or ... begins a new document",
    "expected ',' or": "a comma is missing, or a bracket that opens on line {start} is never closed",
    "expected the node content, but found '<stream end>'": "the file ends within brackets that are never closed",
    "expected the node content, but found ','": "a comma without a value before it; quote values with a comma",
    "expected the node content, but found": "a closing bracket without its opening one; quote values with brackets",
    "but found another document": "expected one document; remove the second ---",
    "expected '<document start>'": "expected nothing after the end of the document, or after a line that starts with %",
    "found incompatible YAML document": "the line %YAML asks for another version; remove it",
    "found duplicate YAML directive": "the line %YAML occurs twice",
    "second occurrence": "the same anchor (&) twice; a value that starts with & needs quotes",
    "expected escape sequence": "an incomplete \\ in double quotes; single quotes leave it as it is",
    "found unknown escape character": "an unknown \\ in double quotes; single quotes leave it as it is",
}

_BY_CONTEXT: Final = {
    "while scanning an anchor": "an anchor (&) without a plain name; a value that starts with & needs quotes",
    "while scanning an alias": "an alias (*) without a plain name; a value that starts with * needs quotes",
    "while scanning a block scalar": "a value that starts with | or > needs quotes",
    "while scanning a directive": "a line that starts with % is not a value; remove it",
}

_OTHERWISE: Final = "a value that starts with ! needs quotes"
"""Used for all other messages: PyYAML has a dozen about tags."""


def explain_syntax_error(error: yaml.MarkedYAMLError) -> tuple[int, str]:
    """Return the line, from 1, and what is wrong there."""
    told = error.problem or ""
    reason = next((ours for theirs, ours in _BY_PROBLEM.items() if told.startswith(theirs)), "")
    reason = reason or _BY_CONTEXT.get(error.context or "", _OTHERWISE)
    found = error.problem_mark or error.context_mark
    start = error.context_mark or found
    if told == "found unexpected end of stream":
        found = start
    line = found.line + 1 if found else 1
    return line, "not YAML: " + reason.replace("{start}", str(start.line + 1 if start else line))
