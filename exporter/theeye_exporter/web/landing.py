"""The landing page: what a person sees who opens the exporter in a browser, without JavaScript."""

import base64
import hashlib
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from theeye_exporter import __version__
from theeye_exporter.status import CollectorStatus, OrganizationStatus
from theeye_exporter.web import words

__all__ = ["CONTENT_SECURITY_POLICY", "landing_page"]

_OPEN_AT_MOST: Final = 3
"""Organisations without a problem that are shown in full; where there are more, each is one line that unfolds."""

_JUMPS_AT_MOST: Final = 8
_BACKTICKS: Final = re.compile("`([^`]+)`")


class State(StrEnum):
    """How an organisation or a collector is; the value is the word on the page."""

    DOWN = "down"
    FAILING = "failing"
    OVERDUE = "overdue"
    WAITING = "not yet known"
    OK = "up"


_COLLECTOR: Final = {State.FAILING: "a failing", State.OVERDUE: "an overdue"}


@dataclass(frozen=True, slots=True)
class _Moment:
    """A time of the past."""

    at: datetime
    age: str

    @classmethod
    def of(cls, seconds: float, now: float) -> "_Moment":
        return cls(at=words.utc(seconds), age=words.age(now - seconds))


@dataclass(frozen=True)
class _Collector:
    """A row of the page."""

    status: CollectorStatus
    now: float

    @property
    def state(self) -> State:
        if self.status.success is None:
            return State.WAITING
        if not self.status.success:
            return State.FAILING
        return State.OK if self.served_for > 0 else State.OVERDUE

    @property
    def served_for(self) -> float:
        """Seconds for which the data is served from now on, 0 without data and negative after its time."""
        if self.status.last_success is None:
            return 0.0
        return self.status.last_success + self.status.max_age - self.now

    @property
    def note(self) -> str:
        """What the state means for a scrape, where that needs saying."""
        if self.state in {State.OK, State.WAITING}:
            return ""
        if self.status.last_success is None:
            return "no data yet"
        return f"old data served for another {words.span(self.served_for)}" if self.served_for > 0 else "no data served"

    @property
    def last_success(self) -> _Moment | None:
        if self.status.last_success is None:
            return None
        return _Moment.of(self.status.last_success, self.now)


@dataclass(frozen=True)
class _Organization:
    """A section of the page."""

    status: OrganizationStatus
    now: float
    number: int

    @cached_property
    def collectors(self) -> list[_Collector]:
        return [_Collector(status, self.now) for status in self.status.collectors]

    @cached_property
    def state(self) -> State:
        if self.status.up is False:
            return State.DOWN
        states = {collector.state for collector in self.collectors}
        for problem in (State.FAILING, State.OVERDUE):
            if problem in states:
                return problem
        return State.WAITING if self.status.up is None else State.OK

    @property
    def is_problem(self) -> bool:
        return self.state not in {State.WAITING, State.OK}

    @property
    def label(self) -> str:
        """The state in words."""
        number = sum(collector.state is self.state for collector in self.collectors)
        if self.state in {State.FAILING, State.OVERDUE} and self.status.up:
            return f"up, {words.counted(number, 'collector')} {self.state}"
        return self.state

    @property
    def gist(self) -> str:
        """One line for an organisation that is folded."""
        objects = sum(collector.status.objects or 0 for collector in self.collectors)
        successes = [s.last_success for s in self.status.collectors if s.last_success is not None]
        if not successes:
            return "waiting for the first answer"
        return f"{words.counted(objects, 'object')}, as of {words.age(self.now - min(successes))}"

    @property
    def errors(self) -> list[tuple[str, str]]:
        """Each error once, with the collectors that met it: one bad token fails them all."""
        collectors: dict[str, list[str]] = {}
        for status in self.status.collectors:
            if status.success is False:
                collectors.setdefault(status.error or status.reason or "no reason given", []).append(status.collector)
        return [(", ".join(names), error) for error, names in collectors.items()]


@dataclass(frozen=True)
class _Page:
    """Everything on the page; problems come first."""

    organizations: Sequence[_Organization]

    @property
    def problems(self) -> list[_Organization]:
        return [organization for organization in self.organizations if organization.is_problem]

    @property
    def folds(self) -> bool:
        return len(self.organizations) > _OPEN_AT_MOST

    @property
    def jumps(self) -> list[_Organization]:
        """Whom to look at first, where that is not simply the next thing on the page."""
        return self.problems[:_JUMPS_AT_MOST] if self.folds else []

    @property
    def headline(self) -> str:
        total = len(self.organizations)
        down = self._number(State.DOWN)
        if not total:
            return "No organisation is configured"
        if self._number(State.WAITING) == total:
            return "Waiting for the first answer"
        if down:
            return f"{self._of(down)} {'is' if down == 1 else 'are'} down"
        if self.problems:
            states = {organization.state for organization in self.problems}
            what = "a failing or overdue" if len(states) > 1 else _COLLECTOR[states.pop()]
            return f"{self._of(len(self.problems))} {'has' if len(self.problems) == 1 else 'have'} {what} collector"
        if self._number(State.OK) == total:
            return f"{self._of(total)} {'is' if total == 1 else 'are'} up"
        return f"{self._of(self._number(State.OK))} up, waiting for the others"

    @property
    def tally(self) -> list[tuple[State, str]]:
        """How many organisations there are in each state that occurs."""
        phrases = {
            State.DOWN: "down",
            **{state: f"up with {what} collector" for state, what in _COLLECTOR.items()},
            State.WAITING: "not yet known",
            State.OK: "up",
        }
        numbers = {state: self._number(state) for state in State}
        return [(state, f"{number:,} {phrases[state]}") for state, number in numbers.items() if number]

    def _number(self, state: State) -> int:
        return sum(organization.state is state for organization in self.organizations)

    def _of(self, number: int) -> str:
        total = len(self.organizations)
        if total == 1:
            return words.clean(self.organizations[0].status.name, 60)
        if number == total:
            return f"All {total:,} organisations"
        return f"{number:,} of {total:,} organisations"


def landing_page(
    organizations: Sequence[OrganizationStatus], *, now: float, started: float, links: Mapping[str, str]
) -> bytes:
    """Render the page as UTF-8.

    Args:
        organizations: whom the exporter watches.
        now: Unix time, in seconds.
        started: Unix time at which the exporter started.
        links: pages of the exporter by the words that lead there.
    """
    order = list(State)
    sections = [_Organization(status, now, number) for number, status in enumerate(organizations, 1)]
    sections.sort(key=lambda section: order.index(section.state))
    return _TEMPLATE.render(
        page=_Page(sections),
        links=links,
        now=words.utc(now),
        started=_Moment.of(started, now),
        version=__version__,
        python=platform.python_version(),
        style=Markup(_STYLE),  # noqa: S704 - our own file, in a <style> element, where escapes would not be undone
    ).encode()


def _coded(text: str) -> Markup:
    """Set what stands between backticks, settings in an advice, as code."""
    # Nothing is left to escape once escape() has been over the text.
    return Markup(_BACKTICKS.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704


_ENVIRONMENT: Final = Environment(
    loader=PackageLoader("theeye_exporter.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(clean=words.clean, coded=_coded, duration=words.duration, span=words.span)
_TEMPLATE: Final = _ENVIRONMENT.get_template("landing.html")
_STYLE: Final = _ENVIRONMENT.get_template("landing.css").render()
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What the page needs and nothing else: its one style sheet, known by its hash, and its icon."""
