"""Says what came of one run: for people in some lines, for programs in one JSON object."""

import json
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from theeye_exporter.theeye.fields import Times, number, text
from theeye_exporter.theeye.lifecycle import Outcome
from theeye_exporter.theeye.run_models import RunJob, RunResult

__all__ = ["Exit", "RunReport", "harmless"]

_LONGEST: Final = 1000
_NANO: Final = 1e-9


class Exit(IntEnum):
    """Exit codes of `run`."""

    SUCCESS = 0
    ENDED_OTHERWISE = 1
    USAGE = 2
    REFUSED = 3
    FATE_UNKNOWN = 4
    STILL_RUNNING = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What came of a run.

    Attributes:
        exit: The exit code.
        message: One sentence for people.
        name: Of the task or workflow.
        hostname: Of the task.
        target_id: Id of the task or workflow.
        job_id: Id of the job; empty if there is none, or none is known.
        lifecycle: Its last known lifecycle.
        outcome: How it ended.
        seconds: From the command's start to its end.
        job: The job in full, if it was read.
    """

    exit: Exit
    message: str
    name: str = ""
    hostname: str = ""
    target_id: str = ""
    job_id: str = ""
    lifecycle: str = ""
    outcome: Outcome | None = None
    seconds: float = 0.0
    job: RunJob | None = None

    def text(self, again: str = "theeye-exporter run") -> str:
        """Return the lines for people; what the script printed cannot control the terminal.

        Args:
            again: The command that follows the run if `--attach` is added.
        """
        lines = [harmless(self.message)]
        result = self._result
        if (ran := self._run_seconds) is not None:
            lines.append(f"run time: {ran:.1f} s")
        if result is not None and isinstance(result.code, int):
            lines.append(f"exit code of the script: {result.code}")
        if result is not None and (last := text(result.lastline) or text(result.message)):
            lines.append(f"last line: {harmless(last)}")
        if self.exit is Exit.STILL_RUNNING and self.job_id:
            lines.append(f"follow it: {again} --attach {self.job_id}")
        return "\n".join(lines)

    def json(self) -> str:
        """Return one JSON object in ASCII, in one line."""
        result = self._result or RunResult()
        fields: dict[str, Any] = {
            "exit_code": int(self.exit),
            "message": self.message,
            "outcome": self.outcome,
            "job_id": self.job_id or None,
            "lifecycle": self.lifecycle or None,
            "target_id": self.target_id or None,
            "name": self.name or None,
            "hostname": self.hostname or None,
            "seconds": round(self.seconds, 3),
            "run_seconds": self._run_seconds,
            "script_exit_code": result.code if isinstance(result.code, int) else None,
            "last_line": text(result.lastline) or None,
            "log": text(result.log) or None,
            "output": result.output,
        }
        return json.dumps(fields, ensure_ascii=True)

    @property
    def _result(self) -> RunResult | None:
        return self.job.result if self.job is not None and isinstance(self.job.result, RunResult) else None

    @property
    def _run_seconds(self) -> float | None:
        times = self._result.times if self._result is not None else None
        if not isinstance(times, Times) or number(times.seconds) is None:
            return None
        return (number(times.seconds) or 0.0) + (number(times.nanoseconds) or 0.0) * _NANO


def harmless(said: str) -> str:
    """Return text of a script for a terminal: in one line, not too long, each control character as its escape."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in said[:_LONGEST])
    return shown if len(said) <= _LONGEST else f"{shown}… ({len(said):,} characters)"
