"""What the exporter asks of TheEye, in TheEye's terms.

Never sent: `include[]`, which changes values on today's servers, and `hostname`, with which a bot's token would take
jobs off the queue.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

import msgspec

from theeye_exporter.theeye.decode import Listing, decode_list, decode_object
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.lifecycle import OPEN_LIFECYCLES
from theeye_exporter.theeye.models import Job, Monitor, Task, text, timestamp
from theeye_exporter.theeye.transport import Answer, Transport

__all__ = ["TheEyeClient"]

_PAGE: Final = 1000
_VERDICTS: Final = frozenset({Reason.AGENT_TOKEN, Reason.ORGANIZATION_CONFLICT, Reason.ORGANIZATION_NOT_FOUND})

_monitors: Final = msgspec.json.Decoder(list[Monitor])
_tasks: Final = msgspec.json.Decoder(list[Task])
_jobs: Final = msgspec.json.Decoder(list[Job])
_job: Final = msgspec.json.Decoder(Job)


class TheEyeClient:
    """TheEye as one organisation's token sees it. Safe for threads.

    Every method raises `UpstreamError`.
    """

    _MONITOR_ROUTES: Final = ("/{customer}/resource", "/monitor", "/{customer}/monitor")

    def __init__(self, transport: Transport, organization: str) -> None:
        self.organization = organization
        self._transport = transport
        self._path = "/" + quote(organization, safe="")
        self._monitor_route: str | None = None
        self._accepted: str | None = None
        self._refused: tuple[str, UpstreamError] | None = None

    def close(self) -> None:
        """Close the session."""
        self._transport.close()

    def monitors(self) -> Listing[Monitor]:
        """List all monitors, in today's shape whatever the server's.

        `/{customer}/resource` checks the organisation, `/monitor` takes it from the token, and `/{customer}/monitor`
        is what servers before 2.0 have. The first that exists is remembered.
        """
        self._ask_verdict()
        routes = [self._monitor_route] if self._monitor_route else self._MONITOR_ROUTES
        for route in routes:
            try:
                answer = self._transport.get(route, route.replace("/{customer}", self._path))
            except UpstreamError as error:
                if error.reason is not Reason.NOT_FOUND:
                    raise
                continue
            self._monitor_route = route
            if route == self._MONITOR_ROUTES[0] and self._refused is None:
                self._judge(None)
            return self._own(answer)
        # The server may have been replaced by one of another version.
        self._monitor_route = None
        raise UpstreamError(Reason.NOT_FOUND, "TheEye has none of the routes that list monitors")

    def tasks(self) -> Listing[Task]:
        """List all tasks that can run."""
        # TheEye ignores the organisation in this path and takes the token's: one of another organisation would list
        # that one's tasks under this one's name. The list of jobs checks, and it tells a bot's token.
        self._ask_verdict()
        if self._accepted != self._transport.current_token():
            self._probe()
        answer = self._transport.get("/{customer}/task", f"{self._path}/task")
        items, skipped = decode_list(answer.body, _tasks)
        return Listing(items, skipped, answer.date)

    def jobs(self, since: float | None = None) -> Listing[Job]:
        """List jobs, oldest change first, all pages together.

        Args:
            since: Unix time; only jobs whose `last_update` is not before it. A server that ignores the filter gives
                the same result.
        """
        jobs: dict[str, Job] = {}
        skipped: Counter[str] = Counter()
        date = None
        for page in self._job_pages(since):
            jobs |= {job.id: job for job in page.items}
            skipped = page.skipped  # pages overlap, so that adding up would count some twice
            date = page.date
        kept = [job for job in jobs.values() if since is None or (timestamp(job.last_update) or 0) >= since]
        return Listing(kept, skipped, date)

    def open_jobs(self) -> Listing[Job]:
        """List the jobs that have not ended."""
        items, skipped, date = self._get_jobs({"where[lifecycle][$in][]": list(OPEN_LIFECYCLES)})
        return Listing([job for job in items if text(job.lifecycle) in OPEN_LIFECYCLES], skipped, date)

    def job(self, job_id: str) -> Job | None:
        """Fetch a job in full, None if TheEye has deleted it."""
        path = f"{self._path}/job/{quote(job_id, safe='')}"
        try:
            answer = self._transport.get("/{customer}/job/{id}", path)
        except UpstreamError as error:
            if error.reason is Reason.NOT_FOUND:
                return None
            raise
        return decode_object(answer.body, _job)

    def _job_pages(self, since: float | None) -> Iterator[Listing[Job]]:
        limit = _PAGE
        while True:
            query: dict[str, str | list[str]] = {"sort[last_update]": "1", "limit": str(limit)}
            if since is not None:
                query["where[last_update][$gte]"] = _iso(since)
            items, skipped, date = self._get_jobs(query)
            yield Listing(items, skipped, date)
            listed = len(items) + skipped.total()
            if listed != limit:
                return  # the last page, or everything from a server that knows no limit
            last = max((timestamp(job.last_update) or 0 for job in items), default=0)
            if since is not None and last <= since:
                limit *= 2  # a whole page of one moment: only a larger one gets past it
            since = last

    def _get_jobs(self, query: dict[str, str | list[str]]) -> tuple[list[Job], Counter[str], float | None]:
        try:
            answer = self._transport.get("/{customer}/job", f"{self._path}/job", query)
            items, skipped = decode_list(answer.body, _jobs)
        except UpstreamError as error:
            self._judge(error)
            raise
        self._judge(None)
        return items, skipped, answer.date

    def _probe(self) -> None:
        try:
            self._get_jobs({"limit": "1"})
        except UpstreamError as error:
            if error.reason not in {Reason.NOT_FOUND, Reason.SERVER_ERROR, Reason.INVALID_RESPONSE}:
                raise  # otherwise there is no verdict, and the list that is asked for speaks for itself

    def _own(self, answer: Answer) -> Listing[Monitor]:
        monitors, skipped = decode_list(answer.body, _monitors, Monitor.flat)
        # Where a token of another organisation lists monitors of that one, they must not get this one's name.
        own = [monitor for monitor in monitors if text(monitor.customer_name) in {"", self.organization}]
        skipped["other_organization"] += len(monitors) - len(own)
        return Listing(own, +skipped, answer.date)

    def _judge(self, verdict: UpstreamError | None) -> None:
        """Remember what a route that checks the organisation said of the token."""
        if verdict is None:
            self._accepted, self._refused = self._transport.current_token(), None
        elif verdict.reason in _VERDICTS:
            self._refused = (self._transport.current_token(), verdict)

    def _ask_verdict(self) -> None:
        """Raise if the token is known to be refused, for lists that do not check it themselves."""
        if self._refused is not None:
            token, verdict = self._refused
            if token == self._transport.current_token():
                raise UpstreamError(verdict.reason, verdict.detail)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
