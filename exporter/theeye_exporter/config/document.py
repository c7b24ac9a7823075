"""Reads a YAML file as nested values, with the line of every key, and reports its mistakes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from theeye_exporter.config.problems import Report
from theeye_exporter.config.yaml_syntax import explain_syntax_error
from theeye_exporter.values.errors import InvalidValueError
from theeye_exporter.values.text import Plain, is_safe_key, printable, shown_path

__all__ = ["Document", "Location", "cannot_read", "read_document", "read_items"]

Location = tuple[str | int, ...]

_MAX_BYTES = 2**20
# An alias takes only a few bytes, but can stand for any number of values.
_MAX_VALUES = 100_000
_MAX_DEPTH = 16

_SEQUENCE, _MAPPING = "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"
_PLAIN_TAGS = {"tag:yaml.org,2002:str", _SEQUENCE, _MAPPING}


class _UnreadableError(Exception):
    """The file as a whole cannot be used."""

    def __init__(self, line: int, message: str) -> None:
        self.line = line
        self.message = message
        super().__init__(message)


class Document:
    """The content of the file: mappings, lists, text and None. Text is as written; the schema decides about types."""

    __slots__ = ("_faults", "_report", "_unseen", "complete", "data", "file", "lines", "valid")

    def __init__(self, file: str, report: Report) -> None:
        self.file = file
        self.data: dict[str, Any] = {}
        self.lines: dict[Location, int] = {}
        self.complete = True
        """Whether the file could be read at all."""
        self.valid = True
        """Whether it has no known mistakes."""
        self._unseen = 0
        self._report = report
        self._faults: dict[Location, set[str | int]] = {}

    def add_fault(self, location: Location, error: InvalidValueError, line: int | None = None) -> None:
        """Record a mistake at the line, or else at the key or its nearest parent in the file."""
        self.valid = False
        if location:
            self._faults.setdefault(location[:-1], set()).add(location[-1])
        while line is None and location and location not in self.lines:
            location = location[:-1]
        key = _dotted(location[self._unseen :])
        self._report.add_file(self.file, line or self.lines.get(location, 1), key, error)

    @contextmanager
    def noting(self, *location: str | int) -> Iterator[None]:
        """Record a mistake that the block raises, and continue after the block."""
        try:
            yield
        except InvalidValueError as error:
            self.add_fault(location, error)

    def add_unreadable(self, line: int, message: str) -> None:
        """Record that the whole file cannot be used."""
        self.complete = self.valid = False
        self._report.add_file(self.file, line, "", InvalidValueError(message))

    def fill(self, root: yaml.MappingNode, *, unseen: int = 0) -> None:
        """Take over the values below the root.

        Args:
            root: the content of the file.
            unseen: how many keys at the beginning of each location are not in the file.
        """
        self._unseen = unseen
        self.data = _Values(self).mapping(root, (), 0)

    def is_faulty(self, *locations: Location) -> bool:
        """Whether one of the keys already has a mistake, so that its consequences need not be reported."""
        return any(location[-1] in self.faulty_keys(location[:-1]) for location in locations)

    def faulty_keys(self, location: Location) -> set[str | int]:
        """Return the direct child keys that have a mistake."""
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


def cannot_read(error: OSError, path: Path) -> str:
    """Return why a file cannot be read, with its absolute path: a relative one may start at an unexpected folder."""
    where = shown_path(path)
    match error:
        case FileNotFoundError():
            return f"no such file: {where}"
        case NotADirectoryError():
            return f"a part of the path is a file, not a folder: {where}"
        case IsADirectoryError():
            return f"is a folder, not a file: {where}"
        case PermissionError():
            return f"no permission to read {where}"
        case _:
            return f"{where} cannot be read ({error.strerror or type(error).__name__})"


def read_document(path: Path, report: Report, flag: str, example: str) -> Document:
    """Return the content of the file; invalid parts are left out and reported.

    Args:
        path: the file.
        report: receives the mistakes.
        flag: the flag that names the file.
        example: a valid key for its top level.
    """
    document = Document(printable(path), report)
    with _told_in(document):
        try:
            text = _read(path)
        except (OSError, ValueError) as error:
            reason = cannot_read(error, path) if isinstance(error, OSError) else "not the path of a file"
            report.add_flag(flag, reason)
            document.complete = document.valid = False
            return document
        root = _compose(text)
        if not isinstance(root, yaml.MappingNode):
            message = f'expected keys such as "{example}:" at the top, got something else'
            raise _UnreadableError(_line(root), message)
        document.fill(root)
    return document


def read_items(path: Path, report: Report, key: str, what: str) -> Document:
    """Return the content of a file with one item or a list of items, as if the file had these items in a list under the key.

    Args:
        path: the file.
        report: receives the mistakes; they name places within the file.
        key: the key.
        what: an item, for messages.
    """
    document = Document(printable(path), report)
    with _told_in(document):
        try:
            text = _read(path)
        except OSError as error:
            raise _UnreadableError(1, cannot_read(error, path)) from None
        root = _compose(text)
        if isinstance(root, yaml.ScalarNode):
            raise _UnreadableError(_line(root), f"expected {what}, or a list of them, got something else")
        single = isinstance(root, yaml.MappingNode)
        items = yaml.SequenceNode(_SEQUENCE, [root], root.start_mark) if single else root
        entry = yaml.ScalarNode("tag:yaml.org,2002:str", key, root.start_mark), items
        document.fill(yaml.MappingNode(_MAPPING, [entry], root.start_mark), unseen=2 if single else 1)
    return document


@contextmanager
def _told_in(document: Document) -> Iterator[None]:
    """Report in the document why it cannot be used as a whole."""
    try:
        yield
    except _UnreadableError as error:
        document.data = {}
        document.add_unreadable(error.line, error.message)


def _read(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise _UnreadableError(1, "the file is larger than 1 MiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
    raise _UnreadableError(line, "not a text file in UTF-8")


def _compose(text: str) -> yaml.Node:
    try:
        # The base loader has no types, so there are no surprises: 1:30 is not a number, and no is not a boolean.
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.reader.ReaderError as error:
        line, message = text.count("\n", 0, error.position) + 1, "not YAML: a control character"
    except yaml.MarkedYAMLError as error:
        line, message = explain_syntax_error(error)
    except (ValueError, OverflowError):  # from chr() and int(); PyYAML does not catch these
        line, message = 1, "not YAML: an escape (\\U) or a version (%YAML) with too large a number"
    except RecursionError:
        line, message = 1, f"nested deeper than {_MAX_DEPTH} levels"
    else:
        if root is None or (isinstance(root, yaml.ScalarNode) and _is_nothing(root)):
            raise _UnreadableError(1, "the file is empty")
        return root
    raise _UnreadableError(line, message)


def _is_nothing(node: yaml.ScalarNode) -> bool:
    return node.style is None and node.value in {"", "~", "null", "Null", "NULL"}


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


class _Values:
    """Converts nodes to values, and records the line of each."""

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
        """Return line and value by key; the mapping's own keys override those that are merged in with ``<<``."""
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
                self._document.add_fault(
                    location, InvalidValueError("<< needs an alias of a mapping, such as <<: *defaults"), _line(source)
                )
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
