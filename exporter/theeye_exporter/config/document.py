"""A YAML file as nested values, with the line of every key, and its mistakes as problems."""

from pathlib import Path
from typing import Any

import yaml

from theeye_exporter.config.problems import InvalidValueError, Report
from theeye_exporter.config.text import Plain, is_safe_key

__all__ = ["Document", "Location", "cannot_read", "read_document", "relative_hint"]

Location = tuple[str | int, ...]

_MAX_BYTES = 2**20
# An alias costs the file a few bytes and stands for any number of values.
_MAX_VALUES = 100_000
_MAX_DEPTH = 16

_PLAIN_TAGS = {"tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"}

# PyYAML's own messages can repeat what stands in the file.
_SYNTAX = {
    "found undefined alias": "an alias (*) without its anchor (&); a value that starts with * needs quotes",
    "found character '\\t'": "a tab; YAML is indented with blanks",
    "found character": "a value that starts with a special character needs quotes",
    "mapping values are not allowed": 'unexpected ": "; check the indentation, and quote values with a colon',
    "expected <block end>": "the indentation does not fit the lines above",
    "could not find expected ':'": 'expected "KEY: VALUE", with a blank after the colon',
    "found unexpected end of stream": "a quote that is never closed",
    "expected ',' or": "a comma is missing, or a bracket that opens on line {start} is never closed",
    "but found another document": "expected one document; remove the second ---",
}


class _UnreadableError(Exception):
    """The file as a whole cannot be used."""

    def __init__(self, line: int, message: str) -> None:
        self.line = line
        self.message = message
        super().__init__(message)


class Document:
    """What stands in the file: mappings, lists, text and None; all text as written, since types are the schema's."""

    __slots__ = ("_faults", "_file", "_report", "complete", "data", "lines")

    def __init__(self, file: str, report: Report) -> None:
        self.data: dict[str, Any] = {}
        self.lines: dict[Location, int] = {}
        self.complete = True
        """Whether the file could be read at all."""
        self._file = file
        self._report = report
        self._faults: dict[Location, set[str | int]] = {}

    def add_fault(self, location: Location, error: InvalidValueError, line: int | None = None) -> None:
        """Note a mistake: at the line, or else at the key or the nearest key around it that stands in the file."""
        if location:
            self._faults.setdefault(location[:-1], set()).add(location[-1])
        while line is None and location and location not in self.lines:
            location = location[:-1]
        self._report.add_file(self._file, line or self.lines.get(location, 1), _dotted(location), error)

    def add_unreadable(self, line: int, message: str) -> None:
        """Note that nothing of the file can be used."""
        self.complete = False
        self._report.add_file(self._file, line, "", InvalidValueError(message))

    def is_faulty(self, *locations: Location) -> bool:
        """Whether a mistake was noted at one of the keys, so that what follows from it need not be told."""
        return any(location[-1] in self.faulty_keys(location[:-1]) for location in locations)

    def faulty_keys(self, location: Location) -> set[str | int]:
        """Return the keys directly within at which a mistake was noted."""
        return self._faults.get(location, set())


def _dotted(location: Location) -> str:
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += "." if text else ""
            text += part if is_safe_key(part) else "(a key)"
    return text


def cannot_read(error: OSError) -> str:
    """Return why a file cannot be read, without its name."""
    match error:
        case FileNotFoundError():
            return "no such file"
        case IsADirectoryError():
            return "is a folder, not a file"
        case PermissionError():
            return "no permission to read it"
        case _:
            return f"cannot be read ({error.strerror or type(error).__name__})"


def relative_hint(path: Path) -> str:
    """Return where a path that stands in the file starts, for those who may have thought of another place."""
    return "" if path.is_absolute() else "a relative path starts at the folder of the configuration file"


def read_document(path: Path, report: Report, flag: str, example: str) -> Document:
    """Return what stands in the file; whatever cannot be used is left out and noted in the report.

    Args:
        path: the file.
        report: takes what is wrong.
        flag: the flag that names the file.
        example: one of the keys that may stand at its top.
    """
    name = "".join(character if character.isprintable() else "?" for character in str(path))
    document = Document(name, report)
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = cannot_read(error) if isinstance(error, OSError) else "not the path of a file"
        report.add_flag(flag, f"{name}: {reason}")
        document.complete = False
        return document
    try:
        root = _compose(_decode(content), example)
        document.data = _Values(document).mapping(root, (), 0)
    except _UnreadableError as error:
        document.data = {}
        document.add_unreadable(error.line, error.message)
    return document


def _decode(content: bytes) -> str:
    if len(content) > _MAX_BYTES:
        raise _UnreadableError(1, "the file is larger than 1 MiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
    raise _UnreadableError(line, "not a text file in UTF-8")


def _compose(text: str, example: str) -> yaml.MappingNode:
    try:
        # The base loader knows no types, hence no surprises: 1:30 is no number, no is no boolean.
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.reader.ReaderError as error:
        line, message = text.count("\n", 0, error.position) + 1, "not YAML: a control character"
    except yaml.MarkedYAMLError as error:
        line, message = _syntax_error(error)
    except RecursionError:
        line, message = 1, f"nested deeper than {_MAX_DEPTH} levels"
    else:
        if root is None or (isinstance(root, yaml.ScalarNode) and _is_nothing(root)):
            raise _UnreadableError(1, "the file is empty")
        if not isinstance(root, yaml.MappingNode):
            raise _UnreadableError(_line(root), f'expected keys such as "{example}:" at the top, got something else')
        return root
    raise _UnreadableError(line, message)


def _syntax_error(error: yaml.MarkedYAMLError) -> tuple[int, str]:
    told = error.problem or ""
    reason = next((f": {ours}" for theirs, ours in _SYNTAX.items() if told.startswith(theirs)), "")
    found = error.problem_mark or error.context_mark
    start = error.context_mark or found
    if told == "found unexpected end of stream":
        found = start
    line = found.line + 1 if found else 1
    return line, f"not YAML{reason}".format(start=start.line + 1 if start else line)


def _is_nothing(node: yaml.ScalarNode) -> bool:
    return node.style is None and node.value in {"", "~", "null", "Null", "NULL"}


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


class _Values:
    """Turns nodes into values, noting the line of each."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._count = 0

    def mapping(self, node: yaml.MappingNode, location: Location, depth: int) -> dict[str, Any]:
        """Return the values by key."""
        values: dict[str, Any] = {}
        for key, (line, value_node) in self._entries(node, location, depth).items():
            self._document.lines[*location, key] = line
            values[key] = self._value(value_node, (*location, key), depth)
        return values

    def _entries(self, node: yaml.MappingNode, location: Location, depth: int) -> dict[str, tuple[int, yaml.Node]]:
        """Return line and value by key; what is merged in with ``<<`` gives way to the mapping's own."""
        entries: dict[str, tuple[int, yaml.Node]] = {}
        merged: list[yaml.Node] = []
        for key_node, value_node in node.value:
            key, line = key_node.value, _line(key_node)
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag not in _PLAIN_TAGS or not key.isprintable():
                self._document.add_fault(location, InvalidValueError("a key is not plain text"), line)
            elif key == "<<" and key_node.style is None:
                merged += value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
            elif key in entries:
                error = InvalidValueError(f"key given twice, first on line {entries[key][0]}")
                self._document.add_fault((*location, key), error, line)
            else:
                entries[key] = line, value_node
        for source in merged:
            self._check(source, depth + 1)
            if isinstance(source, yaml.MappingNode):
                entries = self._entries(source, location, depth + 1) | entries
            else:
                self._document.add_fault(location, InvalidValueError("<< expects an alias of keys"), _line(source))
        return entries

    def _value(self, node: yaml.Node, location: Location, depth: int) -> Any:
        self._check(node, depth)
        if node.tag not in _PLAIN_TAGS:
            self._document.add_fault(location, InvalidValueError("tags (!) are not allowed"))
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, location, depth + 1)
        if isinstance(node, yaml.ScalarNode):
            if node.style is not None:
                return node.value
            return None if _is_nothing(node) else Plain(node.value)
        values = []
        for index, item in enumerate(node.value):
            self._document.lines[*location, index] = _line(item)
            values.append(self._value(item, (*location, index), depth + 1))
        return values

    def _check(self, node: yaml.Node, depth: int) -> None:
        self._count += 1
        if depth > _MAX_DEPTH:
            raise _UnreadableError(_line(node), f"nested deeper than {_MAX_DEPTH} levels")
        if self._count > _MAX_VALUES:
            raise _UnreadableError(_line(node), f"more than {_MAX_VALUES} values once aliases are expanded")
