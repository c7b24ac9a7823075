"""Mutated responses of TheEye, made from recorded ones."""

import json
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import strategies as st

from playback import MORE, T0

__all__ = ["CANARY", "KINDS", "TOKENS", "Body", "bodies", "recorded"]

CANARY: Final = "canary-of-a-body"
"""Stands in names and wherever else a text may stand, and must not get into a log."""

KINDS: Final = ("monitors", "tasks", "workflows", "jobs", "open_jobs", "details", "hosts", "indicators", "webhooks")

_FILES: Final = {
    "monitors": T0 / "monitor.json",
    "tasks": T0 / "task_list.json",
    "workflows": T0 / "workflow_list.json",
    "jobs": T0 / "job_list.json",
    "open_jobs": T0 / "job_list_open.json",
    "details": T0 / "job_6b02e788409f6d2a624a37f9.json",
    "hosts": T0 / "host_list.json",
    "indicators": T0 / "indicator_list.json",
    "webhooks": MORE / "webhook_list.json",
}

# What JSON text is put where a value stood; some of it is no JSON.
TOKENS: Final = (
    b"1e400",
    b"-1e400",
    b"-0",
    b"-0.0",
    b"1.0",
    b"-1",
    b"-2",
    b"1e308",
    b"5e-324",
    b"0.1e1",
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"01",
    b"+1",
    b"18446744073709551616",
    b"-9223372036854775809",
    b"2305843009213693951",
    b"1" + b"0" * 400,
    b"9" * 5000,
    b'"\\ud800"',
    b'"\\udc00\\ud800"',
    b'"\\u0000"',
    b'"\xff\xfe"',
    b'"\xed\xa0\x80"',
    b'"tab\tand\nnewline"',
    b'"\\',
    b"null",
    b"true",
    b"false",
    b"[]",
    b"{}",
    b"nul",
    b"[" * 400 + b"]" * 400,
    b"[" * 100_000 + b"]" * 100_000,
    b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    b'"' + b"x" * 100_000 + b'"',
    b'"' + b"a" * 511 + b'\\""',
    b'"' + b"a" * 600 + b'1"',
    b'"' + b"a" * 600 + b'2"',
    b'"' + b"a" * 129 + b'"',
    b'},{"id":',
    b"]",
    b"",
)

_DATES: Final = (
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999-23:59",
    "1970-01-01T00:00:00Z",
    "2026-11-22T13:09:05.000Z",
    "2026-11-22T13:09:05",
    "2026-W47",
    "99999-01-01",
)

_texts: Final = st.one_of(
    st.sampled_from(
        (
            "",
            CANARY,
            "},{",
            '"',
            "\\",
            "\n",
            "\x00",
            "\x01",
            "\x85",
            "\u2028",
            "🙂",
            "dstat",
            "script",
            "scraper",
            "process",
        )
    ),
    st.sampled_from(("normal", "failure", "updates_stopped", "finished", "ready", "WorkflowJob", "ScriptJob", *_DATES)),
    st.text(max_size=8),
)

_values: Final = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-3, 200),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        _texts,
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=4,
)

# A token is put in when the document is text: until then, a string of its own stands for it.
_MARK: Final = re.compile(rb'"@token (\d+)@"')
_replacements: Final = _values | st.integers(0, len(TOKENS) - 1).map("@token {}@".format)

_operations: Final = st.sampled_from(
    ("replace", "replace", "replace", "drop", "double", "nest", "rename", "swap", "like", "key again")
)


@dataclass(frozen=True)
class _Change:
    operation: str
    where: int
    value: Any
    other: int


_changes: Final = st.builds(_Change, _operations, st.integers(0, 10**6), _replacements, st.integers(0, 10**6))


def _slots(value: Any) -> list[tuple[Any, Any]]:
    """Return every place in a document as its container and its key or index."""
    slots: list[tuple[Any, Any]] = []
    queue = [value]
    while queue:
        holder = queue.pop()
        pairs = holder.items() if isinstance(holder, dict) else enumerate(holder)
        for key, inner in pairs:
            slots.append((holder, key))
            if isinstance(inner, dict | list):
                queue.append(inner)
    return slots


def _apply(document: list[Any], change: _Change) -> None:  # noqa: C901 - a case for each operation
    # What is put in may be changed there: it is a copy, or the next text of the same body would be another one.
    slots = _slots(document)
    if not slots:
        return
    holder, key = slots[change.where % len(slots)]
    other_holder, other_key = slots[change.other % len(slots)]
    match change.operation:
        case "replace":
            holder[key] = deepcopy(change.value)
        case "drop":
            del holder[key]
        case "double" if isinstance(holder, list):
            holder.append(holder[key])
        case "nest":
            holder[key] = [holder[key]] if change.other % 2 else {"id": holder[key]}
        case "rename" if isinstance(holder, dict):
            holder[str(change.value)] = holder.pop(key)
        case "swap":
            # Plain values only, so that nothing comes to hold itself.
            if not isinstance(holder[key], dict | list) and not isinstance(other_holder[other_key], dict | list):
                holder[key], other_holder[other_key] = other_holder[other_key], holder[key]
        case "like" if not isinstance(other_holder[other_key], dict | list):
            holder[key] = other_holder[other_key]
        case "key again" if isinstance(holder, dict):
            # Taken back to the same key once it is text: a key that stands twice.
            holder[f"@key@{key}"] = deepcopy(change.value)
        case _:
            pass


def _text(document: Any, *, compact: bool) -> bytes:
    text = json.dumps(document, separators=(",", ":") if compact else None).encode().replace(b'"@key@', b'"')
    return _MARK.sub(lambda mark: TOKENS[int(mark[1])], text)


def recorded(kind: str) -> Any:
    """Return a recorded answer of a kind."""
    return json.loads(_FILES[kind].read_text())


def _old_shape(monitors: list[Any]) -> list[Any]:
    """Return monitors as servers before 2.0 list them: the monitor outside, the resource inside."""
    return [{**resource.get("monitor", {}), "resource": resource} for resource in monitors]


@dataclass(frozen=True)
class Body:
    """A body, described so that a failing example can be read."""

    kind: str
    objects: tuple[int, ...]
    changes: tuple[_Change, ...]
    compact: bool
    old: bool
    twist: Callable[[bytes], bytes] | None
    whole: bytes | tuple[Any] | None

    @property
    def text(self) -> bytes:
        """Return its bytes."""
        if self.whole is not None:
            return self.whole if isinstance(self.whole, bytes) else _text(self.whole[0], compact=False)
        document = recorded(self.kind)
        if isinstance(document, list):
            document = [json.loads(json.dumps(document[number % len(document)])) for number in self.objects]
            if self.old:
                document = _old_shape(document)
        holder = [document]
        for change in self.changes:
            _apply(holder, change)
        text = _text(holder[0] if holder else None, compact=self.compact)
        return self.twist(text) if self.twist else text


@dataclass(frozen=True)
class _Twist:
    how: str
    where: int
    byte: int

    def __call__(self, text: bytes) -> bytes:
        where = self.where % (len(text) + 1)
        match self.how:
            case "cut":
                return text[:where]
            case "twice":
                return text + text
            case "joined":
                return text + b"," + text
            case "padded":
                return b"\xef\xbb\xbf" + text if self.byte % 2 else b" \n\t" + text + b" \n"
            case "nested":
                return b"[" + text + b"]"
            case _:
                return text[:where] + bytes([self.byte]) + text[where + 1 :]


_twists: Final = st.builds(
    _Twist,
    st.sampled_from(("cut", "twice", "joined", "padded", "nested", "flip", "flip")),
    st.integers(0, 10**6),
    st.integers(0, 255),
)

_anything: Final = st.one_of(
    st.binary(max_size=40),
    st.tuples(_replacements),
    st.sampled_from((b"", b"[]", b"{}", b"null", b'{"jobs":[]}', b"[1,2]", b"[[]]", b'[{"id":"a"},{"id":"a"}]')),
)


def bodies(kind: str, *, sound: bool = False) -> st.SearchStrategy[Body]:
    """Return bodies of a kind; `sound` ones are JSON lists of objects whatever is in them."""
    mutated = st.builds(
        Body,
        st.just(kind),
        st.lists(st.integers(0, 40), max_size=12).map(tuple),
        st.lists(_changes, max_size=6).map(tuple),
        st.booleans(),
        st.booleans() if kind == "monitors" else st.just(value=False),
        st.none() if sound else st.none() | _twists,
        st.none(),
    )
    if sound:
        return mutated
    whole = st.builds(Body, st.just(kind), st.just(()), st.just(()), *[st.just(value=False)] * 2, st.none(), _anything)
    return st.one_of(mutated, mutated, mutated, whole)
