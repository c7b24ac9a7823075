"""The API: a request in, an answer out. What the server really does, oddities included; faults come on top of it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from random import Random
from typing import Any, Final
from urllib.parse import unquote

from theeye_exporter.demo.access import ADMIN, AGENT, check_organization, role_of
from theeye_exporter.demo.answers import Answer, Body, array, json_answer, not_found, one_object
from theeye_exporter.demo.basics import ID_DIGITS
from theeye_exporter.demo.jobs import RUNNING, RUNNING_COUNTED, Job
from theeye_exporter.demo.monitor_documents import encode_monitor, encode_old_monitor, stored_monitor
from theeye_exporter.demo.query import BadQueryError, parse_query, read_selection, select
from theeye_exporter.demo.routes import Match, match
from theeye_exporter.demo.settings import DemoSettings
from theeye_exporter.demo.sidelines import host_document, indicators, status_document, usage_counters
from theeye_exporter.demo.world import World

__all__ = ["Api", "Request"]

_HEX: Final = frozenset("0123456789abcdefABCDEF")
_CACHED_BODIES: Final = 8
_MEDIA: Final = frozenset({"*", "application/json", "application/*", "text/plain", "text/*", "*/*"})
_OBJECT_KINDS: Final = frozenset({"monitor", "job", "task"})
_NO_QUERY: Final = frozenset({"access_token", "customer", "populate"})


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came.

    Attributes:
        method: GET, HEAD, …
        path: The path, still encoded.
        query: The query string, still encoded.
        headers: By lower-case name.
        body: What was sent along.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""


class Api:
    """Answers requests from a world."""

    def __init__(self, world: World, settings: DemoSettings) -> None:
        self._world = world
        self._settings = settings
        self._bodies: dict[tuple[str, str], tuple[int, Body]] = {}
        self._handlers: Mapping[str, Callable[[Match, Mapping[str, Any]], Answer]] = {
            "monitors": self._monitors,
            "monitor": self._monitor,
            "jobs": self._jobs,
            "job": self._job,
            "running": self._running,
            "running_count": self._running_count,
            "tasks": self._tasks,
            "task": self._task,
            "workflows": self._workflows,
            "hosts": self._hosts,
            "indicators": self._indicators,
            "usage": self._usage,
            "status": self._status,
        }

    def find(self, request: Request) -> Match | None:
        """The route a request goes to."""
        return match(tuple(unquote(part) for part in request.path.split("/")[1:]), self._settings.shape)

    def answer(self, request: Request, found: Match | None) -> Answer:
        """The answer to a request."""
        if found is None:
            return not_found(request.path)
        unfit = _unfit(request, found)
        if unfit is not None:
            return unfit
        parameters = parse_query(request.query)
        if found.route.check == "open":
            return self._handled(found, parameters)
        role = role_of(request.headers, parameters, self._settings)
        refused = role if isinstance(role, Answer) else check_organization(found, parameters, self._settings)
        if refused is not None:
            return refused
        return self._handled(found, parameters) if role == ADMIN else self._limited(found, parameters, role)

    def _handled(self, found: Match, parameters: Mapping[str, Any]) -> Answer:
        with self._world.lock:
            self._world.sync()
            return self._handlers[found.route.kind](found, parameters)

    def _limited(self, found: Match, parameters: Mapping[str, Any], role: object) -> Answer:
        # Below an administrator one sees only the objects that list one: here none.
        kind = found.route.kind
        if role == AGENT and kind == "jobs":
            return self._jobs_for_agent(parameters)
        if kind == "usage":
            return json_answer(HTTPStatus.FORBIDDEN, "forbidden")
        if kind in _OBJECT_KINDS:
            return Answer(HTTPStatus.OK, Body([]), transport="hang")  # the real server never answers these
        return json_answer(HTTPStatus.OK, [])

    def _jobs_for_agent(self, parameters: Mapping[str, Any]) -> Answer:
        hostname = parameters.get("hostname")
        if not isinstance(hostname, str) or not hostname:
            return json_answer(HTTPStatus.BAD_REQUEST, "host is required")
        with self._world.lock:
            jobs = self._world.take_jobs(hostname)
            if jobs is None:
                return json_answer(HTTPStatus.NOT_FOUND, "host not found")
            return json_answer(HTTPStatus.OK, {"jobs": [job.detailed(self._world.owner) for job in jobs]})

    def _kept(self, kind: str, version: int, parameters: Mapping[str, Any], make: Callable[[], Body]) -> Body:
        # The body of the same question is the same until something changes.
        question = repr(sorted((name, value) for name, value in parameters.items() if name not in _NO_QUERY))
        known = self._bodies.pop((kind, question), None)
        body = known[1] if known is not None and known[0] == version else make()
        while len(self._bodies) >= _CACHED_BODIES:
            del self._bodies[next(iter(self._bodies))]
        self._bodies[kind, question] = version, body
        return body

    # Monitors.

    def _monitors(self, _: Match, parameters: Mapping[str, Any]) -> Answer:
        body = self._kept("monitors", self._world.fleet.version, parameters, lambda: self._monitor_list(parameters))
        return Answer(HTTPStatus.OK, body)

    def _monitor_list(self, parameters: Mapping[str, Any]) -> Body:
        monitors = self._world.fleet.monitors.values()
        try:
            # Sorting comes to nothing: the server puts the list together in the order in which its look-ups return.
            asked = {name: value for name, value in parameters.items() if name != "sort"}
            chosen = select(monitors, read_selection(asked), stored_monitor)
        except BadQueryError:
            return Body([b"[]"])  # the server drops the database's error
        owner = self._world.owner
        old = self._settings.shape == "old"
        if old:
            chosen = [monitor for monitor in chosen if monitor.has_configuration]
        # Another one each time.
        Random(self._world.fleet.version).shuffle(chosen)
        encode = encode_old_monitor if old else encode_monitor
        return array(part for monitor in chosen for part in encode(monitor, owner))

    def _monitor(self, found: Match, _: Mapping[str, Any]) -> Answer:
        monitors = self._world.fleet.monitors
        if self._settings.shape == "old":
            named = (monitor for monitor in monitors.values() if monitor.monitor_id == found.id)
            monitor = next(named, None)
        else:
            monitor = monitors.get(found.id)
        if monitor is None:
            return _unknown("resource", found.id)
        encode = encode_old_monitor if self._settings.shape == "old" else encode_monitor
        return Answer(HTTPStatus.OK, one_object(encode(monitor, self._world.owner)))

    # Jobs.

    def _jobs(self, _: Match, parameters: Mapping[str, Any]) -> Answer:
        old = self._settings.shape == "old"
        if old:
            parameters = {}
        if "include" in parameters:
            return _database_error()  # a projection that the server's own makes contradictory
        try:
            selection = read_selection(parameters)
        except BadQueryError:
            return _database_error()

        def make() -> Body:
            chosen = select(self._world.workload.jobs.values(), selection, Job.stored)
            return array(job.encode(self._world.owner, with_result=old) for job in chosen)

        return Answer(HTTPStatus.OK, self._kept("jobs", self._world.workload.version, parameters, make))

    def _job(self, found: Match, _: Mapping[str, Any]) -> Answer:
        job = self._world.workload.jobs.get(found.id)
        return _unknown("job", found.id) if job is None else json_answer(HTTPStatus.OK, job.detailed(self._world.owner))

    def _running(self, _: Match, parameters: Mapping[str, Any]) -> Answer:
        try:
            selection = read_selection(parameters)
        except BadQueryError:
            return _database_error()
        running = [job for job in self._world.workload.jobs.values() if job.lifecycle in RUNNING]
        chosen = select(running, selection, Job.stored)
        return json_answer(HTTPStatus.OK, [job.running(self._world.owner) for job in chosen])

    def _running_count(self, _: Match, __: Mapping[str, Any]) -> Answer:
        counts: dict[tuple[str | None, str | None], int] = {}
        for job in self._world.workload.jobs.values():
            if job.lifecycle in RUNNING_COUNTED:
                key = job.task_id, job.workflow.id if job.workflow is not None else None
                counts[key] = counts.get(key, 0) + 1
        groups = [
            {"_id": {name: one for name, one in zip(("task", "workflow"), key, strict=True) if one}, "count": count}
            for key, count in counts.items()
        ]
        return json_answer(HTTPStatus.OK, groups)

    # Tasks and the rest.

    def _tasks(self, _: Match, parameters: Mapping[str, Any]) -> Answer:
        hidden_too = "unassigned" in parameters
        tasks = [task for task in self._world.workload.tasks.values() if hidden_too or task.listed]
        return self._documents([task.document(self._world.owner) for task in tasks], parameters)

    def _task(self, found: Match, _: Mapping[str, Any]) -> Answer:
        task = self._world.workload.tasks.get(found.id)
        if task is not None:
            return json_answer(HTTPStatus.OK, task.document(self._world.owner))
        answer = _unknown("task", found.id)
        said = "task not found" if answer.status == HTTPStatus.NOT_FOUND else "task id is invalid"
        return json_answer(answer.status, {"statusCode": int(answer.status), "message": said})

    def _workflows(self, _: Match, parameters: Mapping[str, Any]) -> Answer:
        workflows = self._world.workload.workflows.values()
        return self._documents([workflow.document(self._world.owner) for workflow in workflows], parameters)

    def _hosts(self, _: Match, __: Mapping[str, Any]) -> Answer:
        hosts = self._world.fleet.hosts.values()
        return json_answer(HTTPStatus.OK, [host_document(host, self._world.owner) for host in hosts])

    def _indicators(self, _: Match, parameters: Mapping[str, Any]) -> Answer:
        asked = {name: value for name, value in parameters.items() if name == "where"}
        return self._documents(indicators(self._world), asked)

    def _usage(self, _: Match, __: Mapping[str, Any]) -> Answer:
        return json_answer(HTTPStatus.OK, usage_counters(self._world))

    def _status(self, _: Match, __: Mapping[str, Any]) -> Answer:
        return json_answer(HTTPStatus.OK, status_document(self._world))

    def _documents(self, documents: Iterable[Mapping[str, Any]], parameters: Mapping[str, Any]) -> Answer:
        try:
            chosen = select(documents, read_selection(parameters), lambda document: document)
        except BadQueryError:
            return _database_error()
        return json_answer(HTTPStatus.OK, chosen)


def _unfit(request: Request, found: Match) -> Answer | None:
    # The server looks at the method and the wanted type before the token.
    if request.method != found.route.method:
        body = {"code": "MethodNotAllowed", "message": f"{request.method} is not allowed"}
        return json_answer(HTTPStatus.METHOD_NOT_ALLOWED, body, ("Allow", found.route.method))
    if not _accepts_json(request.headers.get("accept", "*/*")):
        body = {"code": "NotAcceptable", "message": "Server accepts: application/json, text/plain"}
        return json_answer(HTTPStatus.NOT_ACCEPTABLE, body)
    return None


def _accepts_json(accept: str) -> bool:
    return any(media.partition(";")[0].strip().lower() in _MEDIA for media in accept.split(","))


def _database_error() -> Answer:
    return json_answer(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal Server Error")


def _unknown(what: str, object_id: str) -> Answer:
    if len(object_id) == ID_DIGITS and _HEX.issuperset(object_id):
        return json_answer(HTTPStatus.NOT_FOUND, f"{what} not found")
    return json_answer(HTTPStatus.BAD_REQUEST, f"{what} id is invalid")
