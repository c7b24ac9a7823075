"""What TheEye's answer says about a creation: whether a job was created, certainly not, or perhaps."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from urllib.parse import quote

import msgspec
import requests

from theeye_exporter.theeye.decode import is_id
from theeye_exporter.theeye.fields import text
from theeye_exporter.theeye.run_models import RunJob, RunResult

__all__ = ["Answer", "Creation", "Fate"]

_PASSING: Final = "Invalid members"
"""TheEye answers 400 with this if its gateway fails while it looks up the token's user; nothing was stored."""

_MAYBE_APPLIED: Final = frozenset({408, 499})
"""Statuses of proxies that may have passed the request on."""

_LONGEST_MESSAGE: Final = 300

_SHORTEST: Final = 6
"""Shorter credentials are not replaced: that would garble texts and protect nothing."""

_job: Final = msgspec.json.Decoder(RunJob)


class Fate(StrEnum):
    """What is known about a creation after its only request."""

    CREATED = "created"
    REFUSED = "refused"
    NOTHING = "nothing"
    """It certainly did not happen, for a temporary reason."""
    UNKNOWN = "unknown"
    """It may have happened, or may still happen."""


@dataclass(frozen=True, slots=True)
class Creation:
    """What came of a creation.

    Attributes:
        fate: What is known.
        job: The job, if it was created.
        why: What went wrong, in one printable line without secrets.
    """

    fate: Fate
    job: RunJob | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """TheEye's answer to a request that changes something.

    Attributes:
        status: Its HTTP status.
        body: Its whole body.
        credential: What the request was sent with; TheEye may repeat it.
    """

    status: int
    body: bytes
    credential: str

    @property
    def message(self) -> str:
        """The message of an error, as a short line without the credential; stacks and other fields are left out."""
        try:
            value: Any = msgspec.json.decode(self.body)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return ""
        message = value.get("message") if isinstance(value, dict) else value
        if not isinstance(message, str):
            return ""
        return "".join(c if c.isprintable() else " " for c in _redacted(message, self.credential)[:_LONGEST_MESSAGE])

    def __str__(self) -> str:
        message = self.message
        return f"TheEye answered {self.status}" + (f": {message}" if message else "")

    def creation(self) -> Creation:
        """Return what it says of a creation; a temporary failure must not look like a refusal, or the other way round."""
        status = self.status
        if status == requests.codes.ok:
            return self._created()
        if status == requests.codes.bad_request and self.message.startswith(_PASSING):
            return Creation(Fate.NOTHING, why=f"{self}: TheEye could not look up the token's user")
        refused = requests.codes.multiple_choices <= status < requests.codes.internal_server_error
        return Creation(Fate.REFUSED if refused and status not in _MAYBE_APPLIED else Fate.UNKNOWN, why=str(self))

    def _created(self) -> Creation:
        try:
            job = _job.decode(self.body)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            job = RunJob()
        if not is_id(job.id):
            return Creation(Fate.UNKNOWN, why="TheEye answered 200 without a job")
        if isinstance(job.result, RunResult):
            job.result.log = _redacted(text(job.result.log), self.credential)
        return Creation(Fate.CREATED, job)


def _redacted(said: str, credential: str) -> str:
    """Return the text without the credential, also without its percent-encoded form; cut it only afterwards."""
    if len(credential) < _SHORTEST:
        return said
    for form in (credential, quote(credential, safe="")):
        said = said.replace(form, "<redacted>")
    return said
