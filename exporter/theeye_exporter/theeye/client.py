"""The requests that the exporter makes to TheEye, in TheEye's terms.

Two parameters are never sent: `include[]`, which changes values on today's servers, and `hostname`, which would make
a request with a bot's token take jobs off the queue.
"""

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote

import msgspec

from theeye_exporter.theeye.decode import ITEMS_AT_MOST, Identified, Listing, decode_list, decode_object
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.fields import text, timestamp
from theeye_exporter.theeye.lifecycle import OPEN_LIFECYCLES
from theeye_exporter.theeye.models import Host, HostStats, Indicator, Job, Status, Task, Webhook, Workflow
from theeye_exporter.theeye.monitor_models import Monitor
from theeye_exporter.theeye.paging import PageSize, Query, pages_by_change, pages_by_id
from theeye_exporter.theeye.sight import Sighting

if TYPE_CHECKING:  # collectors, whose settings have flags, import this module, and flags need no HTTP library
    from theeye_exporter.theeye.transport import Transport

__all__ = ["TheEyeClient"]

T = TypeVar("T", bound=Identified)
J = TypeVar("J", bound=Job)

_PAGE: Final = 1000
"""Number of jobs per request."""

_WHOLE_AT_MOST: Final = 1000
"""Maximum number of monitors to request as one list."""

_RANGE: Final = 500
"""Number of known monitors in a range; listing them keeps a supervisor busy for 0.4 s."""

_PAGE_OF_TASKS: Final = 500
"""Number of tasks per request; listing them keeps a supervisor busy for 0.9 s."""

_IDS: Final = 100
"""Number of ids per request; TheEye refuses addresses as long as 350 ids make them."""

_PROBES: Final = ("/{customer}/job", "/{customer}/task")
"""Routes that answer a request for one object quickly: if the first one is broken, TheEye may answer the other."""

_BOTS_JOBS: Final = re.compile(rb'\s*\{\s*"jobs"')

_monitors: Final = msgspec.json.Decoder(list[Monitor])
_tasks: Final = msgspec.json.Decoder(list[Task])
_workflows: Final = msgspec.json.Decoder(list[Workflow])
_hosts: Final = msgspec.json.Decoder(list[Host])
_host_stats: Final = msgspec.json.Decoder(list[HostStats])
_indicators: Final = msgspec.json.Decoder(list[Indicator])
_webhooks: Final = msgspec.json.Decoder(list[Webhook])
_jobs: Final = msgspec.json.Decoder(list[Job])
_job: Final = msgspec.json.Decoder(Job)
_status: Final = msgspec.json.Decoder(Status)


class TheEyeClient:
    """TheEye as seen with one organisation's token. Safe for threads.

    Methods that send requests raise `UpstreamError`.
    """

    _MONITOR_ROUTES: Final = ("/{customer}/resource", "/monitor", "/{customer}/monitor")

    def __init__(self, transport: "Transport", organization: str) -> None:
        self.organization = organization
        self._transport = transport
        self._path = "/" + quote(organization, safe="")
        self._monitor_route: str | None = None
        self._judged: str | None = None
        self._verifying = threading.Lock()
        self._probes = 0
        sizes = (PageSize(most, transport.patience.limit(single=False)) for most in (_RANGE, _PAGE_OF_TASKS, _PAGE))
        self._monitors_at_once, self._tasks_at_once, self._jobs_at_once = sizes
        transport.patience.is_alive = self._is_alive

    def close(self) -> None:
        """Close the session."""
        self._transport.close()

    @property
    def responses(self) -> int:
        """Number of responses that have begun, roughly: it grows whenever TheEye shows a sign of life."""
        return self._transport.patience.responses

    def probe(self) -> None:
        """Make a small request, which shows whether TheEye answers at all."""
        self._probes += 1
        self._probe(_PROBES[(self._probes - 1) % len(_PROBES)])

    def _probe(self, route: str) -> None:
        self._transport.get(route, route.replace("/{customer}", self._path), {"limit": "1"}, peek=True)

    def _is_alive(self, asked: str) -> bool:
        before = self.responses
        try:
            self._probe(next(route for route in _PROBES if route != asked))
        except UpstreamError:
            return self.responses != before
        return True

    def monitors(self, known: Sequence[str] = ()) -> Iterator[Listing[Monitor]]:
        """List all monitors in today's shape, whatever shape the server sends; list a large fleet in several parts.

        `/{customer}/resource` checks the organisation, `/monitor` takes it from the token, and servers before 2.0 have
        `/{customer}/monitor`. The client remembers the first of these routes that exists.

        TheEye makes a query for each listed monitor, and its other clients have to wait until the list is done. `limit`
        would lose monitors, because the server replaces the sort order that it needs. So the client requests a large
        fleet in ranges of ids. Together they are not a snapshot, and need not be: each monitor has its own times.

        Args:
            known: ids of the monitors of the last list, in any order.
        """
        self._verify_token()
        for low, high in self._ranges(known):
            with self._monitors_at_once.adjusted():
                listing = self._monitors_between(low, high)
            yield listing
            if any(not low < monitor.id or (high and monitor.id > high) for monitor in listing.items):
                return  # the server ignored `where`, and this was the whole list

    def _ranges(self, known: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yield the bounds of each range: its ids are above the first and up to the second; an empty bound is open."""
        bounds: list[str] = []
        # The ranges only work for the ids of today's resources.
        if len(known) > _WHOLE_AT_MOST and self._monitor_route == self._MONITOR_ROUTES[0]:
            size = self._monitors_at_once.now
            bounds = sorted(known)[size - 1 : -1 : size]
        return pairwise(["", *bounds, ""])

    def _monitors_between(self, low: str, high: str) -> Listing[Monitor]:
        query = {f"where[_id][{operator}]": bound for operator, bound in (("$gt", low), ("$lte", high)) if bound}
        known = [self._monitor_route] if self._monitor_route else []
        for route in dict.fromkeys([*known, *self._MONITOR_ROUTES]):
            try:
                answer = self._transport.get(route, route.replace("/{customer}", self._path), query)
            except UpstreamError as error:
                if error.reason is not Reason.NOT_FOUND:
                    raise
                continue
            self._monitor_route = route
            with answer:
                items, skipped = decode_list(answer.body, _monitors, _flat, room=answer.room)
            # If the token belongs to another organisation, its monitors must not appear under this organisation's name.
            names = {"", self.organization}
            own = [monitor for monitor in items if text(monitor.customer_name) in names]
            if others := len(items) - len(own):
                skipped["other_organization"] += others
            return Listing(own, skipped, answer.date)
        raise UpstreamError(Reason.NOT_FOUND, "TheEye has none of the routes that list monitors")

    def tasks(self, after: str = "", is_enough: Callable[[], bool] = lambda: False) -> Iterator[Listing[Task]]:
        """List all tasks that can run, in pages, in the order of their ids.

        Args:
            after: only list tasks whose ids are above this one; a server that cannot do that lists all tasks.
            is_enough: called after each page but the last one; returns whether to request no more.
        """
        return pages_by_id(self._get_tasks, after, self._tasks_at_once.now, is_enough)

    def changed_tasks(self, since: float) -> Iterator[Listing[Task]]:
        """List the tasks that changed, in pages.

        A task changes when it is edited and whenever one of its jobs is created, but not when its schedule is changed, when
        its host is renamed, or when it is deleted.

        Args:
            since: Unix time; tasks whose `last_update` is before it may be left out.
        """
        return pages_by_change(self._get_tasks, since, self._tasks_at_once.now)

    def tasks_by_id(self, ids: Sequence[str]) -> Iterator[Listing[Task]]:
        """List the tasks with these ids, in several requests if there are many; those that do not exist are left out."""
        for first in range(0, len(ids), _IDS):
            yield self._get_tasks({"where[_id][$in][]": list(ids[first : first + _IDS])})

    def _get_tasks(self, query: Query) -> Listing[Task]:
        with self._tasks_at_once.adjusted():
            return self._list("/{customer}/task", _tasks, query)

    def workflows(self) -> Listing[Workflow]:
        """List all workflows; the list is empty on a server that is too old to have the route."""
        try:
            return self._list("/workflows", _workflows)
        except UpstreamError as error:
            if error.no_route:  # a 404 from a proxy or a wrong address proves nothing
                return Listing([])
            raise

    def hosts(self) -> Listing[Host]:
        """List all hosts on which a bot has registered."""
        return self._list("/{customer}/host", _hosts)

    def host_stats(self, host_id: str) -> Listing[HostStats]:
        """Fetch the last statistics of a host; the list is empty if its bot never reported any."""
        return self._list("/{customer}/host/{id}/stats", _host_stats, {"type": "dstat"}, host_id)

    def indicators(self) -> Listing[Indicator]:
        """List all indicators."""
        return self._list("/indicator", _indicators)

    def webhooks(self) -> Listing[Webhook]:
        """List all webhooks."""
        return self._list("/{customer}/webhook", _webhooks)

    def status(self) -> Status:
        """Fetch the status of the server, without the token."""
        with self._transport.get("/api/status", "/api/status") as answer:
            return decode_object(answer.body, _status, room=answer.room)

    def sighting(self) -> Sighting:
        """Return what the responses since the last call show about the server."""
        return self._transport.sight.take()

    def _list(
        self, route: str, decoder: msgspec.json.Decoder[list[T]], query: Query | None = None, of: str | None = None
    ) -> Listing[T]:
        """List all objects of a route, or those `of` a single object, which the route calls `{id}`.

        Most of these routes take the organisation from the token, even if the path names one.
        """
        self._verify_token()
        path = route.replace("/{customer}", self._path).replace("{id}", quote(of or "", safe=""))
        with self._transport.get(route, path, query, single=of is not None) as answer:
            items, skipped = decode_list(answer.body, decoder, room=answer.room)
        return Listing(items, skipped, answer.date)

    def jobs(self, since: float | None = None) -> Listing[Job]:
        """List jobs of all pages, oldest change first.

        Args:
            since: Unix time; jobs whose `last_update` is before it are left out. The result is the same if the server
                ignores the filter.
        """
        jobs: dict[str, Job] = {}
        skipped: Counter[str] = Counter()
        date = None
        for page in pages_by_change(self._get_jobs, since, self._jobs_at_once.now):
            jobs |= {job.id: job for job in page.items}
            if len(jobs) > ITEMS_AT_MOST:
                raise UpstreamError(Reason.TOO_LARGE, f"TheEye lists more than {ITEMS_AT_MOST} jobs (a fixed limit)")
            skipped += page.skipped
            date = page.date
        kept = [job for job in jobs.values() if since is None or (timestamp(job.last_update) or 0) >= since]
        return Listing(kept, skipped, date)

    def open_jobs(self) -> Listing[Job]:
        """List the jobs that have not ended yet."""
        listing = self._get_jobs({"where[lifecycle][$in][]": list(OPEN_LIFECYCLES)})
        return replace(listing, items=[job for job in listing.items if text(job.lifecycle) in OPEN_LIFECYCLES])

    def job(self, job_id: str) -> Job | None:
        """Fetch a job in full; None if TheEye has deleted it."""
        return self._single_job(job_id, _job)

    def _single_job(self, job_id: str, decoder: msgspec.json.Decoder[J]) -> J | None:
        path = f"{self._path}/job/{quote(job_id, safe='')}"
        try:
            with self._transport.get("/{customer}/job/{id}", path, single=True) as answer:
                return decode_object(answer.body, decoder, room=answer.room)
        except UpstreamError as error:
            if error.reason is Reason.NOT_FOUND:
                return None
            raise

    def _get_jobs(self, query: Query) -> Listing[Job]:
        try:
            with (
                self._jobs_at_once.adjusted(),
                self._transport.get("/{customer}/job", f"{self._path}/job", query) as answer,
            ):
                items, skipped = decode_list(answer.body, _jobs, room=answer.room)
        except UpstreamError as error:
            self._judge(error)
            raise
        self._judge(None)
        return Listing(items, skipped, answer.date)

    def _judge(self, verdict: UpstreamError | None) -> None:
        """Remember what the list of jobs says about the token."""
        if verdict is None:
            self._judged = self._transport.current_token()
        elif verdict.reason.concerns_everything and verdict.reason is not Reason.SILENT:
            self._judged = None

    def _verify_token(self) -> None:
        """Check that the token belongs to the organisation and not to a bot, before a list that does not check it.

        Some lists take the organisation from the token, and do not report a wrong one. The list of jobs checks the
        organisation and shows whether the token is a bot's; this is harmless as long as no hostname is sent. It is
        requested once per token. If it gives no clear result, the requested list itself has to show the fault.
        """
        with self._verifying:
            token = self._transport.current_token()
            if self._judged == token:
                return
            started = time.monotonic()
            try:
                # A server that ignores the limit sends all jobs; the beginning is enough.
                answer = self._transport.get(_PROBES[0], f"{self._path}/job", {"limit": "1"}, peek=True)
            except UpstreamError as error:
                if error.reason.concerns_everything:
                    raise
                if error.reason is Reason.TIMEOUT or time.monotonic() - started > self._transport.timeout / 2:
                    self._judged = token
                    # Too little time is left for this attempt. The reader should not look for the fault in another list.
                    raise UpstreamError(
                        error.reason,
                        f"{error.detail}; this was the list of jobs, which shows whose token this is",
                        retry_after=error.retry_after,
                    ) from None
            else:
                if _BOTS_JOBS.match(answer.body):
                    raise UpstreamError(
                        Reason.AGENT_TOKEN,
                        "TheEye treated this as a bot's token: it sent an object instead of a list of jobs",
                    )
            self._judged = token


def _flat(monitors: list[Monitor]) -> list[Monitor]:
    # Today's shape does not have this field.
    if [monitor.resource for monitor in monitors].count(None) == len(monitors):
        return monitors
    return [monitor.flat() for monitor in monitors]
