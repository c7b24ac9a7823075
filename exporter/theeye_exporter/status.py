"""What happened to each collector lately: for readiness, the landing page, `check` and `theeye_up`."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace

from theeye_exporter.theeye.errors import Reason

__all__ = ["Attempt", "CollectorStatus", "OrganizationStatus", "StatusBoard"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorStatus:
    """One organisation's collector as of its last attempt; times are Unix times in seconds.

    Attributes:
        organization: the organisation's name.
        collector: the collector's name, such as monitors.
        interval: seconds between two attempts.
        max_age: seconds after which data of the last success is no longer served.
        success: whether the last attempt succeeded, None before the first.
        last_success: when the last successful attempt ended.
        duration: seconds that the last attempt took.
        objects: objects that the last successful attempt delivered.
        skipped: objects of the last successful attempt that were not understood.
        reason: why the last attempt failed.
        error: the same in words, with what to do about it.
        failures: failed attempts since the last success.
    """

    organization: str
    collector: str
    interval: float
    max_age: float
    success: bool | None = None
    last_success: float | None = None
    duration: float | None = None
    objects: int | None = None
    skipped: int = 0
    reason: Reason | None = None
    error: str | None = None
    failures: int = 0


@dataclass(frozen=True, slots=True)
class OrganizationStatus:
    """An organisation and whether its TheEye answers and accepts the token.

    Attributes:
        name: the organisation's name.
        url: base URL of its TheEye.
        up: None before anything is known.
        collectors: its collectors, in the order of their registration.
    """

    name: str
    url: str
    up: bool | None
    collectors: tuple[CollectorStatus, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt of a collector.

    Attributes:
        organization: the organisation's name.
        collector: the collector's name.
        ended: Unix time, in seconds.
        duration: seconds.
        objects: objects delivered, 0 if it failed.
        skipped: objects not understood, 0 if it failed.
        reason: why it failed, None if it did not.
        error: the same in words.
    """

    organization: str
    collector: str
    ended: float
    duration: float
    objects: int = 0
    skipped: int = 0
    reason: Reason | None = None
    error: str | None = None


class StatusBoard:
    """Latest status of every collector. Safe for threads.

    `up` is False as soon as an attempt fails for a reason that concerns every request (token, network, organisation)
    and when no collector's last attempt succeeded; one failing route alone does not make TheEye down.

    Attributes:
        version: a number that is another one after each change.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._urls: dict[str, str] = {}
        self._collectors: dict[tuple[str, str], CollectorStatus] = {}
        self._up: dict[str, bool] = {}
        self.version = 0
        self._awaited: set[tuple[str, str]] = set()

    def register(self, url: str, collectors: Iterable[CollectorStatus], *, awaited: bool = True) -> None:
        """Add an organisation with the collectors that will run for it, or let others run for it from now on.

        What is known of a collector that was there before stays, but for its times.

        Args:
            url: base URL of its TheEye.
            collectors: the collectors.
            awaited: whether readiness waits for new ones.
        """
        with self._lock:
            for status in collectors:
                key = (status.organization, status.collector)
                former = self._collectors.get(key)
                if former is not None:
                    status = replace(former, interval=status.interval, max_age=status.max_age)  # noqa: PLW2901
                elif awaited:
                    self._awaited.add(key)
                self._urls[status.organization] = url
                self._collectors[key] = status
            self.version += 1

    def forget(self, organization: str, collector: str | None = None) -> None:
        """Take away a collector that runs no more, or an organisation with all that is known of it."""
        with self._lock:
            for key in [key for key in self._collectors if key[0] == organization and collector in {None, key[1]}]:
                del self._collectors[key]
                self._awaited.discard(key)
            if all(key[0] != organization for key in self._collectors):
                self._urls.pop(organization, None)
                self._up.pop(organization, None)
            self.version += 1

    def record(self, attempt: Attempt) -> None:
        """Take note of an attempt that ended."""
        organization = attempt.organization
        key = (organization, attempt.collector)
        with self._lock:
            self._awaited.discard(key)
            status = replace(
                self._collectors[key],
                success=attempt.reason is None,
                duration=attempt.duration,
                reason=attempt.reason,
                error=attempt.error,
            )
            if attempt.reason is None:
                status = replace(
                    status, last_success=attempt.ended, objects=attempt.objects, skipped=attempt.skipped, failures=0
                )
            else:
                status = replace(status, failures=status.failures + 1)
            self._collectors[key] = status
            if attempt.reason is None or not attempt.reason.blames_theeye:  # it did answer, and accepted the token
                self._up[organization] = True
            elif attempt.reason.concerns_everything or not any(
                other.success for other in self._collectors.values() if other.organization == organization
            ):
                self._up[organization] = False
            self.version += 1

    @property
    def organizations(self) -> tuple[OrganizationStatus, ...]:
        """Every organisation's status, in the order of registration."""
        with self._lock:
            return tuple(
                OrganizationStatus(
                    name=name,
                    url=url,
                    up=self._up.get(name),
                    collectors=tuple(s for s in self._collectors.values() if s.organization == name),
                )
                for name, url in self._urls.items()
            )

    def up(self, organization: str) -> bool | None:
        """Whether the organisation's TheEye answers and accepts the token, None before that is known."""
        with self._lock:
            return self._up.get(organization)

    @property
    def waiting(self) -> tuple[str, ...]:
        """What readiness waits for: `organization/collector` of each awaited one that has not ended an attempt."""
        with self._lock:
            return tuple("/".join(key) for key in self._collectors if key in self._awaited)
