"""The requests that read: turns them into responses as the real server does, oddities included."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from http import HTTPStatus
from random import Random
from typing import Any, Final

from theeye_exporter.demo.access import ADMIN, AGENT, Caller
from theeye_exporter.demo.answers import NO_ANSWER, Answer, Body, array, json_answer, one_object, unknown
from theeye_exporter.demo.jobs import RUNNING, RUNNING_COUNTED, Job
from theeye_exporter.demo.monitor_documents import encode_monitor, encode_old_monitor, stored_monitor
from theeye_exporter.demo.other_endpoints import ENDPOINTS, host_stats, indicators
from theeye_exporter.demo.query import BadQueryError, read_selection, select, stored_document
from theeye_exporter.demo.routes import ROUTES, Match
from theeye_exporter.demo.settings import DemoSettings
from theeye_exporter.demo.tasks import Task
from theeye_exporter.demo.world import World

__all__ = ["Reading"]

Parameters = Mapping[str, Any]

_CACHED_BODIES: Final = 8
_ORDER_OF_MONITORS: Final = (("fails_count", True), ("type", False))
_NO_QUERY: Final = frozenset({"access_token", "customer", "populate"})


class Reading:
    """Answers the requests that read."""

    def __init__(self, world: World, settings: DemoSettings) -> None:
        self._world = world
        self._settings = settings
        self._bodies: dict[tuple[str, str], tuple[int, Body]] = {}
        self._handlers: Mapping[str, Callable[[Match, Parameters, Caller], Answer]] = {
            route.kind: getattr(self, f"_{route.kind}")
            for route in ROUTES
            if not route.changes and route.kind not in ENDPOINTS
        }

    def answer(self, found: Match, parameters: Parameters, caller: Caller) -> Answer:
        """The answer to a request."""
        if caller.role == AGENT and found.route.kind == "jobs":
            return self._jobs_for_agent(parameters)
        with self._world.lock:
            self._world.sync()
            if (endpoint := ENDPOINTS.get(found.route.kind)) is not None:
                return json_answer(HTTPStatus.OK, endpoint.document(self._world))
            return self._handlers[found.route.kind](found, parameters, caller)

    def _jobs_for_agent(self, parameters: Parameters) -> Answer:
        hostname = parameters.get("hostname")
        if not isinstance(hostname, str) or not hostname:
            return json_answer(HTTPStatus.BAD_REQUEST, "host is required")
        with self._world.lock:
            jobs = self._world.take_jobs(hostname)
            if jobs is None:
                return json_answer(HTTPStatus.NOT_FOUND, "host not found")
            return json_answer(HTTPStatus.OK, {"jobs": [job.detailed(self._world.organization) for job in jobs]})

    def _kept(self, kind: str, version: int, parameters: Parameters, caller: Caller, make: Callable[[], Body]) -> Body:
        # The response to the same request stays the same until something changes.
        asked = sorted((name, value) for name, value in parameters.items() if name not in _NO_QUERY)
        question = repr(asked) if caller.role == ADMIN else repr((caller.user.id, asked))
        known = self._bodies.pop((kind, question), None)
        body = known[1] if known is not None and known[0] == version else make()
        while len(self._bodies) >= _CACHED_BODIES:
            del self._bodies[next(iter(self._bodies))]
        self._bodies[kind, question] = version, body
        return body

    # Monitors.

    def _monitors(self, _: Match, parameters: Parameters, caller: Caller) -> Answer:
        version = self._world.fleet.version
        body = self._kept("monitors", version, parameters, caller, lambda: self._monitor_list(parameters))
        return Answer(HTTPStatus.OK, body)

    def _monitor_list(self, parameters: Parameters) -> Body:
        monitors = self._world.fleet.monitors.values()
        try:
            selection = read_selection({**parameters, "sort": {}})
            # The server replaces the sort order, so that pages lose monitors.
            sort = _ORDER_OF_MONITORS if selection.limit else ()
            chosen = select(monitors, replace(selection, sort=sort), stored_monitor)
        except BadQueryError:
            return Body([b"[]"])  # the server drops the database's error
        organization = self._world.organization
        old = self._settings.shape == "old"
        if old:
            chosen = [monitor for monitor in chosen if monitor.has_configuration]
        # The order is different each time: that in which the server's look-ups return.
        Random(self._world.fleet.version).shuffle(chosen)
        encode = encode_old_monitor if old else encode_monitor
        return array((part for monitor in chosen for part in encode(monitor, organization)), len(chosen))

    def _monitor(self, found: Match, _: Parameters, __: Caller) -> Answer:
        monitors = self._world.fleet.monitors
        if self._settings.shape == "old":
            named = (monitor for monitor in monitors.values() if monitor.monitor_id == found.id)
            monitor = next(named, None)
        else:
            monitor = monitors.get(found.id)
        if monitor is None:
            return unknown("resource", found.id)
        encode = encode_old_monitor if self._settings.shape == "old" else encode_monitor
        return Answer(HTTPStatus.OK, one_object(encode(monitor, self._world.organization)))

    # Jobs.

    def _jobs(self, _: Match, parameters: Parameters, caller: Caller) -> Answer:
        old = self._settings.shape == "old"
        if old:
            parameters = {}
        if "include" in parameters:
            return _database_error()  # a projection that contradicts the server's own
        try:
            selection = read_selection(parameters)
        except BadQueryError:
            return _database_error()

        def make() -> Body:
            seen = (job for job in self._world.workload.jobs.values() if caller.sees(job.acl))
            chosen = select(seen, selection, Job.stored)
            return array((job.encode(self._world.organization, with_result=old) for job in chosen), len(chosen))

        return Answer(HTTPStatus.OK, self._kept("jobs", self._world.workload.version, parameters, caller, make))

    def _job(self, found: Match, _: Parameters, caller: Caller) -> Answer:
        return self._of_job(found, caller, lambda job: job.detailed(self._world.organization))

    def _input(self, found: Match, _: Parameters, caller: Caller) -> Answer:
        return self._of_job(found, caller, lambda job: job.arguments)

    def _lifecycle(self, found: Match, _: Parameters, caller: Caller) -> Answer:
        return self._of_job(found, caller, lambda job: job.lifecycle)

    def _of_job(self, found: Match, caller: Caller, show: Callable[[Job], Any]) -> Answer:
        job = self._world.workload.jobs.get(found.id)
        if job is None:
            return unknown("job", found.id)
        return json_answer(HTTPStatus.OK, show(job)) if caller.sees(job.acl) else NO_ANSWER

    def _workflow_jobs(self, found: Match, _: Parameters, caller: Caller) -> Answer:
        jobs = [job for job in self._world.workload.jobs.values() if job.workflow is not None and caller.sees(job.acl)]
        runs = [job for job in jobs if job.workflow and job.workflow.id == found.id and job.workflow_job is None]
        return json_answer(HTTPStatus.OK, [job.listed(self._world.organization) for job in runs])

    def _workflow_steps(self, found: Match, _: Parameters, caller: Caller) -> Answer:
        jobs = [job for job in self._world.workload.jobs.values() if caller.sees(job.acl)]
        steps = [job for job in jobs if job.workflow_job is not None and job.workflow_job.id == found.id]
        return json_answer(HTTPStatus.OK, [job.running(self._world.organization) for job in steps])

    def _running(self, _: Match, parameters: Parameters, caller: Caller) -> Answer:
        try:
            selection = read_selection(parameters)
        except BadQueryError:
            return _database_error()
        jobs = [job for job in self._world.workload.jobs.values() if caller.sees(job.acl)]
        running = [job for job in jobs if job.lifecycle in RUNNING]
        chosen = select(running, selection, Job.stored)
        return json_answer(HTTPStatus.OK, [job.running(self._world.organization) for job in chosen])

    def _running_count(self, _: Match, __: Parameters, caller: Caller) -> Answer:
        counts: dict[tuple[str | None, str | None], int] = {}
        for job in self._world.workload.jobs.values():
            if job.lifecycle in RUNNING_COUNTED and caller.sees(job.acl):
                key = job.task_id, job.workflow.id if job.workflow is not None else None
                counts[key] = counts.get(key, 0) + 1
        groups = [
            {"_id": {name: one for name, one in zip(("task", "workflow"), key, strict=True) if one}, "count": count}
            for key, count in counts.items()
        ]
        return json_answer(HTTPStatus.OK, groups)

    # Tasks and the rest.

    def _tasks(self, _: Match, parameters: Parameters, caller: Caller) -> Answer:
        hidden_too = "unassigned" in parameters
        own = [task for task in self._world.workload.tasks.values() if not task.foreign and caller.sees(task.acl)]
        tasks = [task for task in own if hidden_too or task.listed]
        try:
            chosen = select(tasks, read_selection(_without_or(parameters)), Task.stored)
        except BadQueryError:
            return _database_error()
        return json_answer(HTTPStatus.OK, [task.document(self._world.organization) for task in chosen])

    def _task(self, found: Match, _: Parameters, caller: Caller) -> Answer:
        task = self._world.workload.tasks.get(found.id)
        if task is not None:
            document = task.document(self._world.organization)
            return json_answer(HTTPStatus.OK, document) if caller.sees(task.acl) else NO_ANSWER
        answer = unknown("task", found.id)
        said = "task not found" if answer.status == HTTPStatus.NOT_FOUND else "task id is invalid"
        return json_answer(answer.status, {"statusCode": int(answer.status), "message": said})

    def _workflows(self, _: Match, parameters: Parameters, caller: Caller) -> Answer:
        workflows = [one for one in self._world.workload.workflows.values() if caller.sees(one.acl)]
        return self._documents([workflow.document(self._world.organization) for workflow in workflows], parameters)

    def _host_stats(self, found: Match, _: Parameters, __: Caller) -> Answer:
        host = next((host for host in self._world.fleet.hosts.values() if host.id == found.id), None)
        return unknown("host", found.id) if host is None else json_answer(HTTPStatus.OK, host_stats(host, self._world))

    def _indicators(self, _: Match, parameters: Parameters, __: Caller) -> Answer:
        asked = {name: value for name, value in parameters.items() if name == "where"}
        return self._documents(indicators(self._world), asked)

    def _documents(self, documents: Iterable[Mapping[str, Any]], parameters: Parameters) -> Answer:
        try:
            chosen = select(documents, read_selection(parameters), stored_document)
        except BadQueryError:
            return _database_error()
        return json_answer(HTTPStatus.OK, chosen)


def _without_or(parameters: Parameters) -> Parameters:
    # The server overwrites it with its own.
    where = parameters.get("where")
    return (
        {**parameters, "where": {name: value for name, value in where.items() if name != "$or"}}
        if isinstance(where, dict)
        else parameters
    )


def _database_error() -> Answer:
    return json_answer(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal Server Error")
