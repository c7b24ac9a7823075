"""Tests that `make torture` names existing tests, passes their parameters, and reports failures."""

import re
import sys
from pathlib import Path

import pytest

from torture.__main__ import main, run
from torture.attacks import ATTACKS, Attack

ROOT = Path(__file__).parents[2]

TESTS = """
import os

def test_that(record_property):
    record_property("things", int(os.environ["AMOUNT"]))
    record_property("seed", int(os.environ["SEED"]))

def test_this():
    {body}
"""


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_its_tests_read_what_they_are_given(attack: Attack) -> None:
    text = "".join((ROOT / test.partition("::")[0]).read_text(encoding="utf-8") for test in attack.tests)

    assert set(attack.environment(1, 1)) <= set(re.findall(r'os\.environ\.get\("(\w+)"', text))
    for name in (test.partition("::")[2] for test in attack.tests):
        assert f"def {name}" in text


def test_ci_and_the_documentation_name_the_tools_of_all_attacks() -> None:
    tests = [ROOT / test.partition("::")[0] for attack in ATTACKS for test in attack.tests]
    texts = [path.read_text(encoding="utf-8") for path in tests]
    helpers = {name for text in texts for name in re.findall(r"^from (\w+) import", text, re.MULTILINE)} - {"tools"}
    texts += [path.read_text(encoding="utf-8") for name in helpers if (path := ROOT / f"tests/{name}.py").exists()]
    needed = {tool for text in texts for tool in re.findall(r'require_tool\("([\w-]+)"\)', text)}
    workflow = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    (installed,) = re.findall(r"\.ci/run --tools-only (.*\bfaketime\b.*)", workflow)

    assert needed - {"taskset"} <= set(installed.split())  # that is everywhere
    documentation = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    assert all(f"`{tool}`" in documentation for tool in needed)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_a_tenth_is_a_tenth_and_the_least_is_something(attack: Attack) -> None:
    assert attack.count(0.1) == attack.full / 10
    assert attack.count(1e-9) > 0


def test_kills_are_shared_out_to_plays() -> None:
    (kills,) = (attack for attack in ATTACKS if attack.amount == "RUN_KILLS")

    assert kills.environment(1, 5) == {"RUN_PLAYS": "8", "RUN_KILLS": "25", "RUN_SEED": "5"}
    assert kills.environment(0.1, 5) == {"RUN_PLAYS": "1", "RUN_KILLS": "20", "RUN_SEED": "5"}


@pytest.mark.parametrize(
    ("body", "held"),
    [("pass", True), ("assert False", False), ("import pytest; pytest.skip('no tool')", False), ("def", False)],
)
def test_an_attack_holds_if_all_its_tests_ran_and_passed(body: str, held: bool, tmp_path: Path) -> None:
    file = tmp_path / "test_it.py"
    file.write_text(TESTS.format(body=body))
    attack = Attack("it", 100, "things", (str(file),), "AMOUNT", "SEED", beside_load=True)

    outcome = run(attack, 0.5, 7, tmp_path)

    assert outcome.held == held
    if body != "def":
        assert outcome.counted == {"things": 50, "seed": 7}
    if not held:
        assert "test_it.py" in outcome.output


def test_that_nothing_was_tried_is_no_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["torture", "--only=no such attack"])

    assert main() == 1
    assert "nothing was tried" in capsys.readouterr().out
