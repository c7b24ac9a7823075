"""Lists decoded in pieces: the same objects as at once, wherever the cuts would fall."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theeye_exporter.theeye import decode
from theeye_exporter.theeye.decode import decode_list, read_list
from theeye_exporter.theeye.errors import Reason, UpstreamError


class Thing(msgspec.Struct):
    """An object with room for anything."""

    id: Any = None
    data: Any = None


DECODER = msgspec.json.Decoder(list[Thing])

# Text and lists that look like the border of two objects.
TRAPS = st.sampled_from(
    ['},{"id"', '"},{"id":"', "[", "]", "{}", '\\"', "}", [{"id": "a"}, {"id": "b"}], [[{"id": 1}]]]
)
THINGS = st.lists(st.lists(TRAPS, max_size=3), max_size=12)


@pytest.fixture(autouse=True)
def short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "_PIECE", 10)


@given(THINGS, st.sampled_from(["", " \n"]), st.booleans())
def test_pieces_are_the_whole(data: list[Any], space: str, compact: bool) -> None:
    things = [{"id": f"t{number}", "data": value} for number, value in enumerate(data)]
    body = (space + json.dumps(things, separators=(",", ":") if compact else None) + space).encode()
    buffer = bytearray(body)
    items, skipped = decode_list(buffer, DECODER)
    assert items == DECODER.decode(body)
    assert not skipped
    assert buffer == body


def test_a_list_is_cut_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[int] = []

    class Spy:
        def decode(self, piece: bytes) -> list[Thing]:
            lengths.append(len(piece))
            return DECODER.decode(piece)

    body = json.dumps([{"id": f"t{n}", "data": "x" * 20} for n in range(50)], separators=(",", ":")).encode()
    assert len(decode_list(body, Spy())[0]) == 50  # type: ignore[arg-type]
    assert max(lengths) < 100
    monkeypatch.undo()
    lengths.clear()
    decode_list(body, Spy())  # type: ignore[arg-type]
    assert lengths == [len(body)]


class Taken:
    """A reader that keeps what it is handed, as it is handed it."""

    def __init__(self) -> None:
        self.batches: list[list[Thing]] = []

    @property
    def items(self) -> list[Thing]:
        return [item for batch in self.batches for item in batch]

    def take(self, items: list[Thing]) -> None:
        self.batches.append(items)

    def repeats(self) -> bool:
        return len({item.id for item in self.items}) < len(self.items)


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 9)), max_size=20))
def test_a_reader_gets_what_the_list_has_in_batches(things: list[tuple[str, int]]) -> None:
    body = json.dumps([{"id": name, "data": value} for name, value in things], separators=(",", ":")).encode()
    started: list[Taken] = []

    def start() -> Taken:
        started.append(Taken())
        return started[-1]

    reader, skipped = read_list(body, DECODER, start)
    items, expected = decode_list(body, DECODER)
    assert {item.id: item.data for item in items} == dict(things)
    assert (reader.items, skipped) == (items, expected)
    assert reader is started[-1]
    assert len(started) == (2 if skipped else 1)
    if not skipped:
        assert all(len(batch) < 3 for batch in reader.batches)


@pytest.mark.parametrize("end", ["", "]]", "],", '},{"id":"t9"]', "]x"])
def test_what_is_no_list_is_none_in_pieces_either(end: str) -> None:
    things = [{"id": f"t{number}", "data": "x" * 20} for number in range(9)]
    body = json.dumps(things, separators=(",", ":")).removesuffix("]") + end
    with pytest.raises(UpstreamError) as caught:
        decode_list(body.encode(), DECODER)
    assert caught.value.reason is Reason.INVALID_RESPONSE


def test_a_malformed_object_costs_itself_only() -> None:
    body = ",".join(['{"id":"a"}', "3", '{"id":"b","data":"\\ud83d"}', f'{{"id":"c","data":1{"0" * 400}}}'])
    items, skipped = decode_list(f"[{body}]".encode(), DECODER)
    assert [item.id for item in items] == ["a", "b", "c"]
    assert items[1].data == "\N{REPLACEMENT CHARACTER}"
    assert skipped == {"malformed": 1}


@pytest.mark.parametrize("item", ['{"id":"a"}', "{}", "1", "[]", '{"data":[1,1,1,1,1,1]}'])
def test_a_list_without_end_is_too_large_before_it_fills_the_memory(item: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "ITEMS_AT_MOST", 50)
    monkeypatch.setattr(decode, "_VALUES", 60)
    for body in (f"[{','.join([item] * 70)}]", f"[ {', '.join([item] * 70)} ]"):
        with pytest.raises(UpstreamError) as caught:
            decode_list(body.encode(), DECODER)
        assert caught.value.reason is Reason.TOO_LARGE
