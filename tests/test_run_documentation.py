"""The examples of docs/run.md do what the page says."""

import re
import shlex
from pathlib import Path
from typing import Final

import pytest

from runs import Execute, afflict, execute, task, theeye
from theeye_exporter.actions.report import Exit
from theeye_exporter.demo import SimulatedTheEye
from theeye_exporter.demo.results import Ending
from theeye_exporter.demo.tasks import Task

__all__ = ["execute", "task", "theeye"]

PAGE: Final = (Path(__file__).parents[1] / "docs" / "run.md").read_text()
EXAMPLES: Final = re.findall(r"^\$ theeye-exporter run (.*)\n((?:.+\n)+?)```", PAGE, re.MULTILINE)
EXIT_CODES: Final = {"restart nginx": 0, "deploy": 2, "lost and gone": 4, "long report": 5}


def without_ids_and_times(text: str) -> str:
    return re.sub(r"\d\d:\d\d:\d\d", "TIME", re.sub("[0-9a-f]{24}", "ID", text))


@pytest.mark.parametrize(("command", "printed"), EXAMPLES)
def test_an_example(theeye: SimulatedTheEye, task: Task, execute: Execute, command: str, printed: str) -> None:
    arguments = shlex.split(command)
    task.name = arguments[0]
    result = {"code": 0, "log": "normal\n", "lastline": "normal", "times": {"seconds": 1, "nanoseconds": 500_000_000}}
    task.ends = (Ending("success", 1.5), result)
    if task.name == "deploy":
        labels = ("service", "version")
        task.arguments = tuple({"order": n, "label": label, "type": "input", "id": n} for n, label in enumerate(labels))
    elif task.name == "lost and gone":
        afflict(theeye, "creation:drop")
    elif task.name == "long report":
        task.ends = (Ending("success", 3600.0), None)
    ran = execute(*arguments)
    assert ran.code == EXIT_CODES[task.name]
    assert without_ids_and_times(ran.out or ran.err) == without_ids_and_times(printed)


def test_every_example_and_every_exit_code_is_there() -> None:
    assert {shlex.split(command)[0] for command, _ in EXAMPLES} == set(EXIT_CODES)
    assert re.findall(r"^\| (\d) \|", PAGE, re.MULTILINE) == [str(int(code)) for code in Exit]
