"""The status page, which people see when they open the exporter in a browser.

It works without JavaScript. With it, a small script keeps the page current, and opens details and searches in place.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final
from urllib.parse import urlencode

from theeye_exporter import NO_DATA
from theeye_exporter.polling.status import OrganizationStatus
from theeye_exporter.web import humanize
from theeye_exporter.web.organization_view import PROBLEM, OrganizationView, State, key_of
from theeye_exporter.web.page_parts import render_page
from theeye_exporter.web.troubles import Trouble

__all__ = ["Selection", "landing_page"]

_ALL_OPEN_AT_MOST: Final = 3
"""Up to this many organisations are shown in full; if there are more, each is one line."""

_LINES_AT_MOST: Final = 500
_OPEN_AT_MOST: Final = 20
_LONGEST_SEARCH: Final = 100


@dataclass(frozen=True)
class Selection:
    """What somebody wants to see.

    Attributes:
        search: a part of a name; its case does not matter.
        state: only organisations in this state; None for all.
        open: keys of organisations whose details are shown.
    """

    search: str = ""
    state: State | None = None
    open: frozenset[str] = frozenset()

    @classmethod
    def of(cls, search: str, state: str, opened: Sequence[str]) -> "Selection":
        """Return the selection that an address says; what makes no sense in it is ignored."""
        return cls(
            search=search.strip()[:_LONGEST_SEARCH],
            state=State(state) if state in set(State) else None,
            open=frozenset(opened[-_OPEN_AT_MOST:]),
        )

    def has(self, organization: OrganizationView) -> bool:
        """Whether the page lists the organisation."""
        return self.state in {None, organization.state} and self.search.lower() in organization.status.name.lower()

    def query(self, state: State | None, **more: str) -> str:
        """Return the query of an address: the same search, with this state and these keys."""
        pairs = {"search": self.search, "state": state or "", **more}
        return "?" + urlencode({key: value for key, value in pairs.items() if value}, errors="replace")


@dataclass(frozen=True)
class _Page:
    """Everything on the page; problems come first."""

    organizations: Sequence[OrganizationView]
    troubles: Sequence[Trouble]
    selection: Selection = field(default_factory=Selection)

    @cached_property
    def problems(self) -> list[OrganizationView]:
        return [organization for organization in self.organizations if organization.is_problem]

    @property
    def folds(self) -> bool:
        return len(self.organizations) > _ALL_OPEN_AT_MOST

    @cached_property
    def found(self) -> list[OrganizationView]:
        """The organisations that are wanted."""
        return [organization for organization in self.organizations if self.selection.has(organization)]

    @property
    def lines(self) -> list[OrganizationView]:
        """Those of them that the page has room for."""
        return self.found[:_LINES_AT_MOST]

    @property
    def remark(self) -> str:
        """What the lines leave out, if anything."""
        if not self.found:
            return "No organisation matches."
        if more := len(self.found) - len(self.lines):
            return f"{more:,} more are not listed: search for a part of the name."
        if (hidden := len(self.organizations) - len(self.found)) and self.folds:
            return f"{humanize.counted(hidden, 'other organisation')} not shown."
        return ""

    @property
    def headline(self) -> str:
        """The worst problem in one sentence, of the organisations and of the exporter itself."""
        if not self.troubles:
            return self._headline
        join = ", and " if self.problems else ", but "
        return self._headline + join + " and ".join(trouble.brief for trouble in self.troubles)

    @property
    def _headline(self) -> str:
        total = len(self.organizations)
        down = self._number(State.DOWN)
        if not total:
            return "No organisation is configured"
        if self._number(State.WAITING) == total:
            return "Waiting for the first response"
        if down:
            return f"{self._of(down)} {'is' if down == 1 else 'are'} down"
        if self.problems:
            return self._with_problems
        if self._number(State.OK) == total:
            return f"{self._of(total)} {'is' if total == 1 else 'are'} up"
        return f"{self._of(self._number(State.OK))} up, waiting for the others"

    @property
    def _with_problems(self) -> str:
        if len(self.organizations) == 1:
            return f"{self._of(1)}: {self.problems[0].label}"
        what = " or ".join(phrase for state, phrase in PROBLEM.items() if self._number(state))
        return f"{self._of(len(self.problems))} {'has' if len(self.problems) == 1 else 'have'} {what}"

    @property
    def tally(self) -> list[tuple[State, str]]:
        """The number of organisations in each state that occurs."""
        phrases = {
            State.DOWN: "down",
            **{state: f"with {what}" for state, what in PROBLEM.items()},
            State.WAITING: "waiting for the first response",
            State.OK: "up",
        }
        numbers = {state: self._number(state) for state in State}
        return [(state, f"{number:,} {phrases[state]}") for state, number in numbers.items() if number]

    def _number(self, state: State) -> int:
        return sum(organization.state is state for organization in self.organizations)

    def _of(self, number: int) -> str:
        total = len(self.organizations)
        if total == 1:
            return humanize.clean(self.organizations[0].status.name, 60)
        if number == total:
            return f"All {total:,} organisations"
        return f"{number:,} of {total:,} organisations"


def landing_page(  # noqa: PLR0913 - everything that the page shows meets here
    organizations: Sequence[OrganizationStatus],
    *,
    now: float,
    monotonic: float,
    started: float,
    links: Mapping[str, str],
    troubles: Sequence[Trouble] = (),
    uncounted: Collection[str] = (),
    selection: Selection | None = None,
) -> bytes:
    """Render the page as UTF-8.

    Args:
        organizations: status of the organisations.
        now: Unix time, in seconds.
        monotonic: the same on the monotonic clock.
        started: Unix time at which the exporter started.
        links: paths of the exporter's pages from its root, by link text.
        troubles: problems of the exporter itself.
        uncounted: names of organisations whose ledger cannot be written.
        selection: what to show of the organisations.
    """
    order = list(State)
    selection = selection or Selection()
    few = len(organizations) <= _ALL_OPEN_AT_MOST
    views = [
        OrganizationView(status, monotonic, status.name in uncounted, few or key_of(status.name) in selection.open)
        for status in organizations
    ]
    views.sort(key=lambda view: order.index(view.state))
    page = _Page(views, troubles, Selection() if few else selection)
    return render_page(
        "landing", headline=page.headline, now=now, started=started, links=links, page=page, no_data=NO_DATA
    )
