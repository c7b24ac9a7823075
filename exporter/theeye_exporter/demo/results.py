"""The results of runs, by type of job and ending, in the format of agents 2.1.1."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from theeye_exporter.demo.jobs import Job
from theeye_exporter.demo.tasks import BOT_USER, HUMAN

__all__ = ["Ending", "result_of", "seconds_of"]

Document = dict[str, Any]

_OUTCOME_CODES: Final = {"success": 0, "failure": 1}
_LINES: Final = {"success": "normal", "timeout": "still working"}
_NANO: Final = 1_000_000_000


class Ending(NamedTuple):
    """How a run ends.

    Attributes:
        state: success, failure, timeout, canceled, error; or another state that an old server may have stored.
        seconds: Pure run time; None if it was not measured.
        code: Exit code; None for the usual one.
        by_server: For a cancellation: the server did it, because the bot missed a timeout or is silent.
    """

    state: str
    seconds: float | None = None
    code: int | None = None
    by_server: bool = False


def result_of(job: Job, ending: Ending) -> tuple[Document | None, list[str]]:
    """The result and the output of a job with this ending."""
    if job.type in {"WorkflowJob", "NotificationJob"}:
        return None, []
    if ending.state == "error":
        return {"log": "the job could not be built"}, []
    if ending.state == "canceled":
        return _canceled(ending)
    make = _BY_TYPE.get(job.type)
    return _script(job, ending) if make is None else make(ending)


def seconds_of(result: Document | None) -> float | None:
    """The pure run time in a result; None if it has none."""
    times = (result or {}).get("times")
    if not isinstance(times, dict):
        return None
    return float(times["seconds"] + times["nanoseconds"] / _NANO)


def _canceled(ending: Ending) -> tuple[Document, list[str]]:
    if ending.by_server:
        said: Document = {"message": "The task was ended by the server: it ran into its timeout."}
        return {"killed": True, "output": [said]}, [msgspec.json.encode(said).decode()]
    return _approval(ending)


def _script(job: Job, ending: Ending) -> tuple[Document, list[str]]:
    line = _LINES.get(ending.state, ending.state)
    killed = ending.state == "timeout"
    code = _OUTCOME_CODES.get(ending.state, 0) if ending.code is None else ending.code
    rows = int(job.id[-3:], 16)
    hands_on = ending.state == "success" and rows % 3 == 0
    if hands_on:
        # A last line of JSON passes data to the next step.
        line = msgspec.json.encode({"state": "success", "data": ["rows", rows]}).decode()
    result: Document = {
        "code": None if killed else code,
        "log": f"{job.name}\n{line}\n",
        "lastline": line,
        "signal": "SIGTERM" if killed else None,
        "killed": killed,
        "user": BOT_USER.document(),
    }
    if hands_on:
        result["output"] = ["rows", rows]
    if ending.seconds is not None:
        whole, nanoseconds = divmod(round(ending.seconds * _NANO), _NANO)
        result["times"] = {"seconds": whole, "nanoseconds": nanoseconds}
    return result, ['"rows"', str(rows)] if hands_on else []


def _scraper(ending: Ending) -> tuple[Document, list[str]]:
    headers = {"server": "nginx", "content-type": "application/json", "connection": "close"}
    failed = ending.state != "success"
    status = 503 if failed else 200
    result: Document = {
        "message": f"status code {status} expected to match 200" if failed else "request success",
        "response": {"status_code": status, "body": "", "headers": headers},
        "output": "",
        "user": BOT_USER.document(),
    }
    if failed:
        result["expected"] = 200
    return result, []


def _approval(_: Ending) -> tuple[Document, list[str]]:
    person = HUMAN.document()
    return {"user": person, "output": [person]}, [msgspec.json.encode(person).decode()]


_BY_TYPE: Final[Mapping[str, Callable[[Ending], tuple[Document, list[str]]]]] = {
    "ApprovalJob": _approval,
    "DummyJob": lambda _: ({"output": []}, []),
    "AgentUpdateJob": lambda _: ({"message": "agent monitors updated", "user": BOT_USER.document()}, []),
    "ScraperJob": _scraper,
}
