"""The latest status of each collector, for readiness, the landing page, `check` and `theeye_up`."""

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from theeye_exporter.collectors.registry import COLLECTORS
from theeye_exporter.polling.families import SHOWN_BY_ACCESS
from theeye_exporter.theeye.errors import Reason

__all__ = ["EMPTY_ADVICE", "Attempt", "CollectorStatus", "OrganizationStatus", "StatusBoard"]

EMPTY_ADVICE: Final = "a token below level admin sees only what is shared with its user; an integration token sees all"

_WITHOUT_TOKEN: Final = frozenset(kind.name for kind in COLLECTORS if not kind.sends_token)
_ORDER: Final = {kind.name: position for position, kind in enumerate(COLLECTORS)}

_ENOUGH: Final = 2
"""This many collectors have to fail before TheEye, and not a route, is considered faulty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorStatus:
    """One organisation's collector as of its last attempt; times are in seconds.

    Attributes:
        organization: the organisation's name.
        collector: the collector's name, a word.
        title: the collector's name for people.
        interval: seconds from one attempt to the next, as far as is known by now.
        max_age: seconds after which data of the last success is no longer served.
        success: whether the last attempt succeeded, None before the first.
        last_success: Unix time at which the last successful attempt ended.
        succeeded: the same on the monotonic clock, which decides until when its data is served.
        duration: seconds that the last attempt took.
        objects: number of objects from the last successful attempt.
        visible: number of objects that the token sees, valid or not; None before the first success.
        skipped: objects of the last successful attempt that were left out.
        reason: why the last attempt failed.
        error: the same in words, with what to do about it.
        failures: failed attempts since the last success.
        failures_by_reason: failed attempts since the start.
        skipped_by_reason: objects left out of lists since the start.
        dropped_by_reason: values without a sample since the start.
    """

    organization: str
    collector: str
    interval: float
    max_age: float
    title: str = ""
    success: bool | None = None
    last_success: float | None = None
    succeeded: float | None = None
    duration: float | None = None
    objects: int | None = None
    visible: int | None = None
    skipped: int = 0
    reason: Reason | None = None
    error: str | None = None
    failures: int = 0
    failures_by_reason: Counter[str] = field(default_factory=Counter)
    skipped_by_reason: Counter[str] = field(default_factory=Counter)
    dropped_by_reason: Counter[str] = field(default_factory=Counter)

    @property
    def is_mute(self) -> bool:
        """Whether the last attempt says nothing about TheEye and the token."""
        if self.collector in _WITHOUT_TOKEN:
            return True
        return self.reason is not None and not self.reason.blames_theeye and not self.reason.is_answer


@dataclass(frozen=True, slots=True)
class OrganizationStatus:
    """An organisation, and whether its TheEye responds and accepts the token.

    Attributes:
        name: the organisation's name.
        url: base URL of its TheEye.
        up: whether TheEye is up; None if not known yet.
        collectors: its collectors, in the order of the registry.
    """

    name: str
    url: str
    up: bool | None
    collectors: tuple[CollectorStatus, ...]

    @property
    def visible_objects(self) -> int | None:
        """Number of objects that the token sees, of the kinds that TheEye filters by access.

        None without collectors of such kinds, and as long as it is 0 and some of them have not succeeded yet.
        """
        visible = [status.visible for status in self.collectors if status.collector in SHOWN_BY_ACCESS]
        total = sum(number or 0 for number in visible)
        return None if not total and (not visible or None in visible) else total

    @property
    def sees_nothing(self) -> bool:
        """Whether the token sees no object of the kinds that TheEye filters by access."""
        return self.visible_objects == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt of a collector.

    Attributes:
        organization: the organisation's name.
        collector: the collector's name.
        ended: Unix time, in seconds.
        moment: the same on the monotonic clock.
        duration: seconds.
        interval: seconds from its start to the next attempt, None if that does not change.
        max_age: seconds for which its data is served, None if it brought none.
        objects: number of objects, 0 if it failed.
        complete: whether these are all objects that the token sees, and not just the changed ones.
        skipped: objects left out, by reason; none if it failed.
        dropped: values without a sample, by reason; none if it failed.
        reason: why it failed, None if it did not.
        error: the same in words.
    """

    organization: str
    collector: str
    ended: float
    moment: float
    duration: float
    interval: float | None = None
    max_age: float | None = None
    objects: int = 0
    complete: bool = True
    skipped: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    reason: Reason | None = None
    error: str | None = None


def _place(status: CollectorStatus) -> int:
    return _ORDER.get(status.collector, len(_ORDER))


class StatusBoard:
    """Latest status of every collector. Safe for threads.

    `up` is False in three cases: an attempt failed for a reason that concerns every request (token, network,
    organisation); the most frequently polled collector and another one have failed since any collector last got a
    response; or every collector's last attempt failed. A single failing route does not mean that TheEye is down.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._urls: dict[str, str] = {}
        self._collectors: dict[str, dict[str, CollectorStatus]] = {}
        self._up: dict[str, bool] = {}
        self._failed: defaultdict[str, set[str]] = defaultdict(set)
        """By organisation, the collectors that failed since one of its collectors last got a response."""
        self._awaited: set[tuple[str, str]] = set()

    def register(self, url: str, collectors: Iterable[CollectorStatus], *, awaited: bool = True) -> None:
        """Add an organisation with its collectors, or replace the collectors of a known organisation.

        A collector that was there before keeps its status, with the new interval and max age.

        Args:
            url: base URL of its TheEye.
            collectors: the collectors.
            awaited: whether readiness waits for new ones.
        """
        with self._lock:
            for status in collectors:
                own = self._collectors.setdefault(status.organization, {})
                former = own.get(status.collector)
                if former is not None:
                    status = replace(former, interval=status.interval, max_age=status.max_age)  # noqa: PLW2901
                elif awaited:
                    self._awaited.add((status.organization, status.collector))
                self._urls[status.organization] = url
                own[status.collector] = status

    def forget(self, organization: str, collector: str | None = None) -> None:
        """Remove a collector that no longer runs, or an organisation with all of its status."""
        with self._lock:
            own = self._collectors.get(organization, {})
            for name in [name for name in own if collector in {None, name}]:
                del own[name]
                self._awaited.discard((organization, name))
                self._failed[organization].discard(name)
            if not own:
                for known in (self._collectors, self._urls, self._up, self._failed):
                    known.pop(organization, None)

    def excuse(self, organization: str) -> None:
        """Let readiness wait no longer for an organisation: its TheEye does not answer."""
        with self._lock:
            self._awaited = {awaited for awaited in self._awaited if awaited[0] != organization}

    def record(self, attempt: Attempt) -> bool:
        """Record an attempt that ended.

        Returns:
            Whether the organisation's token sees nothing since this attempt, and not before.
        """
        organization = attempt.organization
        with self._lock:
            self._awaited.discard((organization, attempt.collector))
            saw_nothing = self._status(organization).sees_nothing
            known = self._collectors[organization][attempt.collector]
            status = replace(
                known,
                success=attempt.reason is None,
                duration=attempt.duration,
                interval=attempt.interval or known.interval,
                max_age=attempt.max_age or known.max_age,
                reason=attempt.reason,
                error=attempt.error,
            )
            if attempt.reason is None:
                skipped = attempt.skipped.total()
                listed = attempt.objects + skipped
                status = replace(
                    status,
                    last_success=attempt.ended,
                    succeeded=attempt.moment,
                    objects=attempt.objects,
                    visible=listed if attempt.complete else max(listed, status.visible or 0),
                    skipped=skipped,
                    failures=0,
                    skipped_by_reason=status.skipped_by_reason + attempt.skipped,
                    dropped_by_reason=status.dropped_by_reason + attempt.dropped,
                )
            else:
                status = replace(
                    status,
                    failures=status.failures + 1,
                    failures_by_reason=status.failures_by_reason + Counter([attempt.reason]),
                )
            self._collectors[organization][attempt.collector] = status
            self._judge(status)
            return not saw_nothing and self._status(organization).sees_nothing

    def _judge(self, status: CollectorStatus) -> None:
        organization, reason = status.organization, status.reason
        if status.is_mute:
            return
        if reason is None or reason.is_answer:
            self._failed[organization].clear()
            self._up[organization] = True
            return
        self._failed[organization].add(status.collector)
        if reason.concerns_everything or self._all_seem_to_fail(organization):
            self._up[organization] = False

    def _all_seem_to_fail(self, organization: str) -> bool:
        telling = [s for s in self._status(organization).collectors if not s.is_mute]
        shortest = min(status.interval for status in telling)
        failed = self._failed[organization]
        often = any(status.collector in failed for status in telling if status.interval == shortest)
        # The second condition covers collectors that TheEye asked to pause: they may not try for a long time.
        return (often and len(failed) >= _ENOUGH) or all(status.success is False for status in telling)

    def _status(self, organization: str) -> OrganizationStatus:
        return OrganizationStatus(
            name=organization,
            url=self._urls[organization],
            up=self._up.get(organization),
            collectors=tuple(sorted(self._collectors[organization].values(), key=_place)),
        )

    @property
    def organizations(self) -> tuple[OrganizationStatus, ...]:
        """Every organisation's status, in the order of registration."""
        with self._lock:
            return tuple(map(self._status, self._urls))

    def organization(self, name: str) -> OrganizationStatus:
        """Return the status of a registered organisation."""
        with self._lock:
            return self._status(name)

    def up(self, organization: str) -> bool | None:
        """Whether the organisation's TheEye responds and accepts the token; None if not known yet."""
        with self._lock:
            return self._up.get(organization)

    @property
    def waiting(self) -> tuple[str, ...]:
        """What readiness waits for: `organization/collector` of each awaited collector without a finished attempt."""
        with self._lock:
            return tuple(
                f"{organization}/{collector}"
                for organization, own in self._collectors.items()
                for collector in own
                if (organization, collector) in self._awaited
            )
