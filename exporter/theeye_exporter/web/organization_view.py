"""What the status page says about an organisation and its collectors."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Final

from theeye_exporter.polling.status import EMPTY_ADVICE, CollectorStatus, OrganizationStatus
from theeye_exporter.theeye.errors import Reason
from theeye_exporter.web import humanize

__all__ = ["PROBLEM", "Moment", "OrganizationView", "State", "key_of"]

_KEY_LENGTH: Final = 8


class State(StrEnum):
    """The state of an organisation or a collector; the value is the word on the page."""

    DOWN = "down"
    FAILING = "failing"
    OVERDUE = "overdue"
    UNCOUNTED = "runs not counted"
    BLIND = "sees nothing"
    WAITING = "waiting"
    OK = "up"


PROBLEM: Final = {
    State.FAILING: "a failing collector",
    State.OVERDUE: "an overdue collector",
    State.UNCOUNTED: "runs that are not counted",
    State.BLIND: "a token that sees nothing",
}
_OF_ORGANIZATION: Final = {State.UNCOUNTED: "runs are not counted", State.BLIND: "token sees nothing"}


def key_of(name: str) -> str:
    """Return the key of the organisation with this name."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_KEY_LENGTH]


@dataclass(frozen=True, slots=True)
class Moment:
    """A time in the past."""

    at: datetime
    age: str

    @classmethod
    def of(cls, seconds: float, now: float) -> "Moment":
        """Return the moment of a Unix time."""
        return cls(at=humanize.utc(seconds), age=humanize.age(now - seconds))


@dataclass(frozen=True)
class CollectorView:
    """A row in the details of an organisation."""

    status: CollectorStatus
    monotonic: float

    @property
    def state(self) -> State:
        if self.status.success is None:
            return State.WAITING
        if not self.status.success:
            return State.FAILING
        return State.OK if self.served_for > 0 else State.OVERDUE

    @property
    def served_for(self) -> float:
        """Seconds for which the data will still be served; 0 without data, negative if it is too old."""
        # By the clock that decides what is served; the system's clock can be set.
        if self.status.succeeded is None:
            return 0.0
        return self.status.succeeded + self.status.max_age - self.monotonic

    @property
    def is_gone(self) -> bool:
        """Whether the numbers of objects belong to data that is no longer served."""
        return self.status.objects is not None and self.served_for <= 0

    @property
    def note(self) -> str:
        """What the state means for a scrape, if that is not obvious."""
        if self.state in {State.OK, State.WAITING}:
            return ""
        if self.status.last_success is None:
            return "no data yet"
        return (
            f"old data served for another {humanize.span(self.served_for)}" if self.served_for > 0 else "no data served"
        )

    @property
    def last_success(self) -> Moment | None:
        if self.status.last_success is None or self.status.succeeded is None:
            return None
        return Moment(humanize.utc(self.status.last_success), humanize.age(self.monotonic - self.status.succeeded))


@dataclass(frozen=True)
class OrganizationView:
    """An organisation as the page shows it: a line, and details.

    Attributes:
        status: its status.
        monotonic: the time, in seconds.
        uncounted: whether its ledger cannot be written.
        open: whether the page shows its details.
    """

    status: OrganizationStatus
    monotonic: float
    uncounted: bool
    open: bool

    @cached_property
    def key(self) -> str:
        """What stands for its name in addresses, where some names would be impossible, and long ones a burden."""
        return key_of(self.status.name)

    @cached_property
    def collectors(self) -> list[CollectorView]:
        """Its collectors."""
        return [CollectorView(status, self.monotonic) for status in self.status.collectors]

    @cached_property
    def state(self) -> State:
        """The worst state of the organisation and its collectors."""
        if self.status.up is False:
            return State.DOWN
        states = {collector.state for collector in self.collectors}
        for problem in (State.FAILING, State.OVERDUE):
            if problem in states:
                return problem
        if self.uncounted:
            return State.UNCOUNTED
        if self.status.sees_nothing:
            return State.BLIND
        return State.WAITING if self.status.up is None else State.OK

    @property
    def is_problem(self) -> bool:
        """Whether somebody should look at it."""
        return self.state not in {State.WAITING, State.OK}

    @property
    def label(self) -> str:
        """The state in words."""
        if self.state not in PROBLEM:
            return self.state
        number = [collector.state for collector in self.collectors].count(self.state)
        what = _OF_ORGANIZATION.get(self.state) or f"{humanize.counted(number, 'collector')} {self.state}"
        return f"up, {what}" if self.status.up else what

    @property
    def gist(self) -> str:
        """What the line says besides name and state: the first error, or how much data there is."""
        if self.errors:
            return self.errors[0][1].replace("`", "")
        objects = sum(collector.status.objects or 0 for collector in self.collectors)
        successes = [s.succeeded for s in self.status.collectors if s.succeeded is not None]
        if not successes:
            return "waiting for the first response"
        return f"{humanize.counted(objects, 'object')}, as of {humanize.age(self.monotonic - min(successes))}"

    @cached_property
    def errors(self) -> list[tuple[str, str]]:
        """Each error once, with its collectors: a bad token makes all of them fail."""
        collectors: dict[str, list[str]] = {}
        for status in self.status.collectors:
            if status.success is False:
                collectors.setdefault(status.error or status.reason or "unknown reason", []).append(status.collector)
        errors = [(", ".join(names), error) for error, names in collectors.items()]
        if self.uncounted:
            errors.append(
                ("runs", f"they are not counted, because the state file cannot be written; {Reason.LEDGER.advice}")
            )
        if self.status.sees_nothing:
            errors.append(("token", f"it sees nothing; {EMPTY_ADVICE}"))
        return errors
