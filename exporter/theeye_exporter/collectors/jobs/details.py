"""Fetches jobs in full, each with a request of its own, for what lists leave out.

TheEye never answers a request for a single job that the token's user may not see. So after a few such requests in a row,
each poll makes only one of them, in the background, until one is answered.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

import structlog

from theeye_exporter.clocks import Clocks
from theeye_exporter.collectors.faults import Faults
from theeye_exporter.collectors.jobs.detail_requests import DetailRequests
from theeye_exporter.collectors.jobs.helpers import POOL
from theeye_exporter.ledger.update import LedgerUpdate
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.models import Job

__all__ = ["DetailLimits", "DetailMemory", "JobDetails"]

_FROM_BEFORE: Final = 4
"""Of the jobs of a poll, one in this many may have ended before counting began: there are many, and they do not change."""

_HANGS: Final = 3
"""After this many requests in a row without an answer, single jobs are left to probes."""

_ADVICE: Final = (
    "TheEye never answers for single jobs that the token's user may not see; an integration token sees all. Runs are "
    "counted, but their run times and exit codes are missing"
)

_log: Final = structlog.get_logger(__name__)

_Answer = Job | UpstreamError | None
"""The job, None if it is deleted, or why there was no answer."""


@dataclass(slots=True)
class DetailMemory:
    """What has to be kept over a reload.

    Attributes:
        not_before: monotonic time, in seconds, before which TheEye asked not to get requests for single jobs.
        hangs: requests in a row that were not answered in time.
    """

    not_before: float = float("-inf")
    hangs: int = 0

    def copy(self) -> "DetailMemory":
        """Return a copy that does not change with this one."""
        return replace(self)


@dataclass(frozen=True, slots=True)
class DetailLimits:
    """How much is fetched in one poll.

    Attributes:
        at_most: number of jobs.
        at_once: number of requests at the same time.
        seconds: no request begins after this time.
    """

    at_most: int
    at_once: int
    seconds: float


class _Probe:
    """A request for one job in the background, which no poll waits for."""

    def __init__(self, client: TheEyeClient, job_id: str) -> None:
        self.job_id = job_id
        self.answer: _Answer = None
        self._client = client
        self._done = POOL.submit(self._run)

    @property
    def has_ended(self) -> bool:
        return self._done.done()

    def _run(self) -> None:
        try:
            self.answer = self._client.job(self.job_id)
        except UpstreamError as error:
            self.answer = error
        except Exception:  # noqa: BLE001 - a lack of memory, or a bug, which the next fetch meets again and logs
            self.answer = UpstreamError(Reason.INTERNAL, "a probe failed")


class JobDetails:
    """Fetches the jobs in full that a poll needs.

    Args:
        organization: the organisation's name.
        limits: how much is fetched in one poll.
        memory: what has to be kept over a reload.
        faults: logs jobs that cause errors in the exporter.
        clocks: the clocks to use.
    """

    def __init__(
        self, organization: str, limits: DetailLimits, memory: DetailMemory, faults: Faults, clocks: Clocks
    ) -> None:
        self._organization = organization
        self._limits = limits
        self._memory = memory
        self._faults = faults
        self._monotonic = clocks.monotonic
        self._probe: _Probe | None = None

    def fetch(self, client: TheEyeClient, update: LedgerUpdate) -> int:
        """Fetch jobs a few at a time, within the limits, until TheEye asks for a pause.

        Returns:
            the number of jobs that were left because single jobs get no answer.
        """
        if self._monotonic() < self._memory.not_before:
            return 0
        wanted = update.wanted()
        if wanted and self._hang and not self._is_answered(client, update, wanted):
            return len(wanted)
        wanted = self._chosen(update)
        if wanted:
            self._fetch_all(client, update, wanted)
        return len(update.wanted()) if self._hang else 0

    def _chosen(self, update: LedgerUpdate) -> list[str]:
        """Return the jobs of this poll."""
        at_most = self._limits.at_most
        wanted = update.wanted()[:at_most]
        before = [job_id for job_id in wanted if update.is_from_before(job_id)]
        put_off = set(before[-(-at_most // _FROM_BEFORE) :])
        return [job_id for job_id in wanted if job_id not in put_off]

    @property
    def _hang(self) -> bool:
        return self._memory.hangs >= _HANGS

    def _is_answered(self, client: TheEyeClient, update: LedgerUpdate, wanted: Sequence[str]) -> bool:
        """Look at the last probe, and make another one unless it was answered.

        Its answer itself is not used: it is older than the lists of this poll.
        """
        probe = self._probe
        if probe is not None:
            if not probe.has_ended:
                return False
            self._probe = None
            self._count_hang(probe.answer)
            if not self._hang:
                return True
            if probe.job_id in wanted:
                update.fail_result(probe.job_id)
        with suppress(RuntimeError):  # no more threads can be started
            self._probe = _Probe(client, (update.wanted() or wanted)[0])
        return False

    def _fetch_all(self, client: TheEyeClient, update: LedgerUpdate, wanted: Sequence[str]) -> None:
        requests = DetailRequests(
            client, self._limits.seconds, lambda job_id, answer: self._take(update, job_id, answer)
        )
        requests.fetch(wanted, self._limits.at_once)
        if requests.refusals:
            pause = max(error.retry_after or 0.0 for error in requests.refusals)
            self._memory.not_before = self._monotonic() + pause

    def _take(self, update: LedgerUpdate, job_id: str, answer: _Answer) -> None:
        self._count_hang(answer)
        if isinstance(answer, UpstreamError):
            update.fail_result(job_id)
            return
        try:
            update.take_result(job_id, answer)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - a bug with one result must not affect the others
            self._faults.tell(job_id, answer, error)
            update.fail_result(job_id)

    def _count_hang(self, answer: _Answer) -> None:
        hung = self._hang
        hangs = isinstance(answer, UpstreamError) and answer.reason is Reason.TIMEOUT
        self._memory.hangs = self._memory.hangs + 1 if hangs else 0
        if self._hang and not hung:
            _log.warning("requests for single jobs get no answer", organization=self._organization, advice=_ADVICE)
        elif hung and not self._hang:
            _log.info("requests for single jobs are answered again", organization=self._organization)
