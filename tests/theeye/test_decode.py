"""Tests decoding of JSON lists: malformed, duplicate and too many objects."""

import json
from typing import Any

import msgspec
import pytest

from theeye_exporter.theeye import decode
from theeye_exporter.theeye.decode import decode_list
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.memory import UNBOUNDED


class Thing(msgspec.Struct):
    """An object with room for anything."""

    id: Any = None
    data: Any = None


DECODER = msgspec.json.Decoder(list[Thing])


@pytest.mark.parametrize("end", ["", "]]", "],", '},{"id":"t9"]', "]x"])
def test_what_is_no_list_is_none(end: str) -> None:
    things = [{"id": f"t{number}", "data": "x" * 20} for number in range(9)]
    body = json.dumps(things, separators=(",", ":")).removesuffix("]") + end
    with pytest.raises(UpstreamError) as caught:
        decode_list(body.encode(), DECODER, room=UNBOUNDED)
    assert caught.value.reason is Reason.INVALID_RESPONSE


def test_a_malformed_object_costs_itself_only() -> None:
    body = ",".join(['{"id":"a"}', "3", '{"id":"b","data":"\\ud83d"}', f'{{"id":"c","data":1{"0" * 400}}}'])
    items, skipped = decode_list(f"[{body}]".encode(), DECODER, room=UNBOUNDED)
    assert [item.id for item in items] == ["a", "b", "c"]
    assert items[1].data == "\N{REPLACEMENT CHARACTER}"
    assert skipped == {"malformed": 1}


@pytest.mark.parametrize("item", ['{"id":"a"}', "{}", "1", "[]", '{"data":[1,1,1,1,1,1]}'])
def test_a_list_without_end_is_too_large_before_it_fills_the_memory(item: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "ITEMS_AT_MOST", 50)
    monkeypatch.setattr(decode, "_VALUES", 60)
    monkeypatch.setattr(decode, "_SMALL", 20)
    for body in (f"[{','.join([item] * 70)}]", f"[ {', '.join([item] * 70)} ]"):
        with pytest.raises(UpstreamError) as caught:
            decode_list(body.encode(), DECODER, room=UNBOUNDED)
        assert caught.value.reason is Reason.TOO_LARGE
        assert caught.value.detail.endswith(" (a fixed limit)")  # no setting helps, and the advice must not promise it
    assert "limits." not in Reason.TOO_LARGE.advice
