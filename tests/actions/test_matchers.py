"""Matchers mean here what they mean in Alertmanager: amtool is asked, for as much of the syntax as its version knows."""

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theeye_exporter.actions import matchers
from theeye_exporter.actions.matchers import matches, parse_matchers
from tools import require_tool

CHARACTERS = 'ab_:0 "\\,{}=~!n\n\té🙂(|)[].*+?$^-'

names = st.sampled_from(["a", "ab", "_x", "a:b", "severity", "0a", ""])
values = st.text(CHARACTERS, max_size=8)
operators = st.sampled_from(["=", "!=", "=~", "!~", "=="])
spaces = st.sampled_from(["", " ", "\t "])


def quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


@st.composite
def written(draw: st.DrawFn) -> str:
    value = draw(values)
    # Version 0.25 of Alertmanager panics if there is no value at all.
    value = draw(st.sampled_from([value or '""', quoted(value)]))
    return draw(spaces) + draw(names) + draw(spaces) + draw(operators) + draw(spaces) + value + draw(spaces)


lists = st.lists(written(), min_size=1, max_size=3).map(",".join)
braced = st.tuples(lists, st.sampled_from([("", ""), ("{", "}"), ("{", ",}"), ("{", ""), ("", "}")])).map(
    lambda one: one[1][0] + one[0] + one[1][1]
)
label_sets = st.dictionaries(st.sampled_from(["a", "ab", "_x", "severity"]), values, min_size=1, max_size=3)


def configuration(folder: Path, texts: list[str]) -> Path:
    """Write a configuration with a route for each text."""
    receivers: list[dict[str, Any]] = [{"name": name} for name in ["none", *map(str, range(len(texts)))]]
    routes = [{"receiver": str(at), "matchers": [text], "continue": True} for at, text in enumerate(texts)]
    file = folder / "alertmanager.yml"
    document = {"route": {"receiver": "none", "routes": routes}, "receivers": receivers}
    file.write_text(json.dumps(document, ensure_ascii=False))
    return file


def amtool_accepts(amtool: str, folder: Path, text: str) -> bool:
    command = [amtool, "check-config", str(configuration(folder, [text]))]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def amtool_matches(amtool: str, folder: Path, texts: list[str], labels: dict[str, str]) -> set[str]:
    command = [amtool, "config", "routes", "test", f"--config.file={configuration(folder, texts)}"]
    command += [f"{name}={quoted(value)}" for name, value in labels.items()]
    output = subprocess.run(command, capture_output=True, text=True, check=False)
    assert output.returncode == 0, f"{texts}: {output.stderr}"
    return {texts[int(receiver)] for receiver in output.stdout.strip().split(",") if receiver != "none"}


@pytest.fixture(scope="module")
def amtool() -> str:
    return require_tool("amtool")


@settings(max_examples=20)
@given(texts=st.lists(braced, min_size=1, max_size=6, unique=True), sets=st.lists(label_sets, min_size=1, max_size=3))
def test_the_same_as_amtool(amtool: str, texts: list[str], sets: list[dict[str, str]]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        parsed = {}
        for text in texts:
            try:
                parsed[text] = parse_matchers(text)
            except ValueError:
                assert not amtool_accepts(amtool, folder, text), text
        # Alertmanager 0.25 knows only the older syntax.
        known = [text for text in parsed if amtool_accepts(amtool, folder, text)]
        for text in parsed.keys() - set(known):
            with pytest.raises(ValueError, match=r"."):
                matchers._old_syntax(text)
        for labels in sets:
            expected = {text for text in known if matches(parsed[text], labels)}
            assert amtool_matches(amtool, folder, known, labels) == expected, labels


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ('alertname="NginxDown"', {"alertname": "NginxDown"}, True),
        ("alertname = NginxDown", {"alertname": "nginxdown"}, False),
        ('severity=~"critical|warning"', {"severity": "warning"}, True),
        ('severity=~"critical|warning"', {"severity": "warnings"}, False),
        ('severity!~"critical|warning"', {}, True),
        ('missing=""', {}, True),
        ('missing!=""', {}, False),
        (r'a=~"web\d+"', {"a": "web12"}, True),  # only the older syntax allows this escape
        (r'{"päge.x"=~"\\d+\u00e4"}', {"päge.x": "1ä"}, True),
        ('"🙂"="\\t\\x41\\101"', {"🙂": "\tAA"}, True),
        ("🙂=ü,a!=b", {"🙂": "ü", "a": "c"}, True),
        ("{ a=b , c!=d , }", {"a": "b"}, True),
        ('a="x,y"', {"a": "x,y"}, True),
        ('a=~".+"', {"a": "x\ny"}, False),
    ],
)
def test_what_matches(text: str, labels: dict[str, str], expected: bool) -> None:
    assert matches(parse_matchers(text), labels) is expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no matcher"),
        ("{}", "there is no matcher"),
        ("alertname", "one of = != =~ !~ is missing after 'alertname'"),
        ('a="b', "the value of a has no double quote at its end"),
        ('a=b"c', "the value of a has a double quote in it without a backslash before it"),
        ('a=~"("', "the regular expression '(' is wrong: missing ): ("),
        ('a=~"b)(c"', "the regular expression 'b)(c' is wrong: unexpected ): b)(c"),
        ('"ä"="\\q"', "\\q means nothing in double quotes"),
        ('"ä"="\\xff"', "a text in double quotes is not UTF-8"),
        ('{"ä"=b', "there is no } at the end"),
        ('"ä"=', "the value of 'ä' is missing"),
        ('"ä"=b c=d', "a comma is missing after the value of 'ä'"),
        ('""=b', "a name is missing"),
        ("=b", "a name is missing before ="),
        ("a='b', \"c", "'\"c' is not a name, one of = != =~ !~, and a value"),
        ("'ä'=b", "\"'ä'=b\" is not a matcher"),
    ],
)
def test_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        parse_matchers(text)
    assert str(raised.value) == message


@given(st.text() | st.text(CHARACTERS))
def test_any_text_is_parsed_or_refused_in_words(text: str) -> None:
    try:
        parsed = parse_matchers(text)
    except ValueError:
        return
    again = parse_matchers(",".join(map(str, parsed)))
    assert [str(one) for one in again] == [str(one) for one in parsed]
