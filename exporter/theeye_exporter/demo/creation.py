"""Starts tasks and workflows over HTTP, by token or secret key, as the real server does."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from theeye_exporter.demo.access import USER, Caller
from theeye_exporter.demo.answers import NO_ANSWER, Answer, bad_request, forbidden, json_answer, unknown
from theeye_exporter.demo.arguments import BuildError, TooFewArgumentsError, bind, given
from theeye_exporter.demo.ids_and_time import Organization
from theeye_exporter.demo.jobs import ENDED, RUNNING, Job
from theeye_exporter.demo.results import Ending
from theeye_exporter.demo.routes import Match
from theeye_exporter.demo.settings import DemoSettings
from theeye_exporter.demo.tasks import USERS, Task
from theeye_exporter.demo.workflows import Workflow
from theeye_exporter.demo.workload import Start
from theeye_exporter.demo.world import World

__all__ = ["Creation"]

Fields = Mapping[str, Any]

_LIFECYCLES: Final = RUNNING | ENDED | {"expired", "completed"}
_HONOURED: Final = frozenset({"syncing", "onhold", "locked"})
"""Lifecycles that a request can ask for; others are ignored."""
_IMMEDIATE: Final = frozenset({"dummy", "approval"})
"""Types of tasks that ignore the lifecycle that a request asks for."""
_UNBUILT: Final = frozenset({"customer_id", "customer_name", "task_id", "task", "host_id", "host", "env", "origin"})
_UNBUILT_TOO: Final = frozenset(
    {"name", "notify", "allows_dynamic_settings", "triggered_by", "script_id", "script_runas", "user_id"}
)
_MEMBERS: Final = frozenset(user.email for user in USERS)


class Creation:
    """Answers the requests that create jobs."""

    def __init__(self, world: World, settings: DemoSettings) -> None:
        self._world = world
        self._settings = settings
        self._handlers: Mapping[str, Callable[[Match, Fields, Caller | None], Answer]] = {
            "create": self._create,
            "create_of_own": self._create_of_own,
            "create_by_secret": self._create_by_secret,
            "create_by_job_secret": self._create_by_job_secret,
            "create_run": self._create_run,
            "create_run_by_secret": self._create_run_by_secret,
        }

    def answer(self, found: Match, fields: Fields, caller: Caller | None, *, members_fail: bool) -> Answer:
        """The answer to a request.

        Args:
            found: Its route.
            fields: Those of its query and its body.
            caller: Who sent it; None with a secret key.
            members_fail: Whether the gateway fails when the server looks up the members of an organisation.
        """
        if members_fail and caller is not None:
            return bad_request(f'Invalid members. ["{caller.user.id}"]')
        return self._handlers[found.route.kind](found, fields, caller)

    # By token.

    def _create(self, found: Match, fields: Fields, caller: Caller | None) -> Answer:
        # These routes do not look at the organisation of the task.
        task_id = found.id or fields.get("task")
        if not isinstance(task_id, str):
            return json_answer(HTTPStatus.BAD_REQUEST, "task is required")
        task = self._world.workload.tasks.get(task_id)
        return unknown("task", task_id) if task is None else self._allowed(task, fields, caller)

    def _create_of_own(self, found: Match, fields: Fields, caller: Caller | None) -> Answer:
        task = self._world.workload.tasks.get(found.id)
        if task is None or task.foreign:
            body = {"statusCode": int(HTTPStatus.NOT_FOUND), "message": "task not found"}
            return json_answer(HTTPStatus.NOT_FOUND, body)
        return self._allowed(task, fields, caller)

    def _create_run(self, found: Match, fields: Fields, caller: Caller | None) -> Answer:
        workflow = self._world.workload.workflows.get(found.id)
        if workflow is None:
            return unknown("workflow", found.id)
        if caller is not None and caller.organization != self._settings.organization:
            return json_answer(HTTPStatus.UNAUTHORIZED, "forbidden")
        return self._allowed(workflow, fields, caller)

    def _allowed(self, what: Task | Workflow, fields: Fields, caller: Caller | None) -> Answer:
        if caller is not None and caller.role == USER and not caller.sees(what.acl):
            return NO_ANSWER
        return self._start(what, fields, caller)

    # By secret key.

    def _create_by_job_secret(self, found: Match, fields: Fields, _: Caller | None) -> Answer:
        customer, task_id = fields.get("customer"), fields.get("task")
        if not customer:
            return forbidden("organization is required")
        if customer not in {self._settings.organization, self._settings.neighbour}:
            return json_answer(HTTPStatus.NOT_FOUND, "organization not found")
        if not isinstance(task_id, str):
            return json_answer(HTTPStatus.BAD_REQUEST, "task is required")
        return self._by_secret(self._world.workload.tasks, task_id, found.secret, fields)

    def _create_by_secret(self, found: Match, fields: Fields, _: Caller | None) -> Answer:
        return self._by_secret(self._world.workload.tasks, found.id, found.secret, fields)

    def _create_run_by_secret(self, found: Match, fields: Fields, _: Caller | None) -> Answer:
        return self._by_secret(self._world.workload.workflows, found.id, found.secret, fields, "workflow")

    def _by_secret(
        self, known: Mapping[str, Task | Workflow], wanted: str, secret: str, fields: Fields, kind: str = "task"
    ) -> Answer:
        what = known.get(wanted)
        if what is None:
            return unknown(kind, wanted)
        if not what.secret or what.secret != secret:
            return forbidden("invalid secret")
        return self._start(what, fields, None)

    # Both.

    def _start(self, what: Task | Workflow, fields: Fields, caller: Caller | None) -> Answer:
        assignees = fields.get("assignee", [])
        if not _MEMBERS.issuperset(assignees):
            return bad_request(f'Invalid members. ["{assignees[0]}"]')
        lifecycle = fields.get("lifecycle", "ready")
        if lifecycle not in _LIFECYCLES:
            return bad_request(f"Invalid lifecycle {lifecycle}")
        first = what if isinstance(what, Task) else what.steps[0]
        try:
            values = given(first.arguments, fields)
        except TooFewArgumentsError as error:
            return bad_request(str(error))
        lifecycle = lifecycle if lifecycle in _HONOURED and first.type not in _IMMEDIATE else "ready"
        start = Start("secret", None, values, lifecycle)
        if caller is not None:
            start = Start("user", caller.user, values, lifecycle)
        if not first.placed:
            return json_answer(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal Server Error")
        with self._world.acting() as now_ms:
            if isinstance(what, Workflow):
                job = self._world.workload.create_run(what, now_ms, start)
            else:
                job = self._create_job(what, now_ms, start)
            return _created(job, self._organization(fields), fields)

    def _create_job(self, task: Task, now_ms: int, start: Start) -> Job:
        workload = self._world.workload
        if task.user_inputs and start.user is None:
            return workload.create(task, now_ms, start._replace(arguments=(), lifecycle="onhold"))
        if task.workflow_id is not None:
            return workload.create_broken(task, now_ms, start, "missing workflow job")
        try:
            bound = bind(task.arguments, task.arguments_type, start.arguments)
        except BuildError as error:
            return workload.create_broken(task, now_ms, start, str(error))
        job = workload.create(task, now_ms, start._replace(arguments=bound))
        if task.type == "dummy":
            workload.end(job, now_ms, Ending("success"), {"output": bound})
            job.output = bound
        return job

    def _organization(self, fields: Fields) -> Organization:
        if fields.get("customer") == self._settings.neighbour:
            return Organization("5bf81d18ca5e7e000f80f8ff", self._settings.neighbour)
        return self._world.organization


def _created(job: Job, organization: Organization, fields: Fields) -> Answer:
    document = job.created(organization)
    if job.state == "error" and job.task is not None and job.task.workflow_id is not None:
        document = {name: value for name, value in document.items() if name not in _UNBUILT | _UNBUILT_TOO}
        document["acl"] = []
    if fields.get("wait_result"):
        wait = f"/job/{job.id}/result?counter=0&limit=10&timeout=10"
        return json_answer(HTTPStatus.SEE_OTHER, document, ("Location", wait))
    return json_answer(HTTPStatus.OK, document)
