"""The routes of the API: their paths, their kinds, and how they check the organisation."""

from typing import Final, NamedTuple

from theeye_exporter.demo.other_endpoints import ENDPOINTS

__all__ = ["ROUTES", "Match", "Route", "match"]


class Route(NamedTuple):
    """One path of the API.

    Attributes:
        pattern: Its segments; `:customer`, `:id` and others with a colon match any segment.
        kind: The kind of endpoint.
        check: How the organisation is found: `session` (from the token alone), `path` (the path's, checked against
            the token), `query` (that of `?customer=`, checked; or the token's), `open` (no token needed).
        shape: The servers that have it: all, or those with the `new` or the `old` monitors.
        method: Its method.
        level: `user` if viewers may not use it.
    """

    pattern: tuple[str, ...]
    kind: str
    check: str = "session"
    shape: str = ""
    method: str = "GET"
    level: str = ""

    @property
    def changes(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET"

    @property
    def fault_kind(self) -> str:
        """The kind of endpoint, as faults name it."""
        if not self.changes:
            return self.kind
        return "creation" if self.kind.startswith("create") else "action"


class Match(NamedTuple):
    """A matching route, the values of its variable segments, and the methods that the path takes."""

    route: Route
    customer: str
    id: str
    secret: str = ""
    methods: tuple[str, ...] = ("GET",)


ROUTES: Final = (
    Route(("job", "running"), "running"),
    Route(("job", "running_count"), "running_count"),
    Route(("job",), "create", method="POST", level="user"),
    Route(("job", "secret", ":secret"), "create_by_job_secret", "open", method="POST"),
    Route(("job", ":id", "input"), "input"),
    Route(("job", ":id", "assignee"), "assignee", method="PUT"),
    Route(("job", ":id", "synced"), "synced", method="PUT", level="user"),
    Route(("job", ":id", "hold"), "hold", method="PUT", level="user"),
    Route(("monitor",), "monitors", shape="new"),
    Route(("monitor", ":id"), "monitor", shape="new"),
    Route(("task",), "tasks"),
    Route(("task", ":id", "job"), "create_of_own", method="POST", level="user"),
    Route(("task", ":id", "secret", ":secret", "job"), "create_by_secret", "open", method="POST"),
    Route(("workflows",), "workflows"),
    Route(("workflows", ":id", "job"), "workflow_jobs"),
    Route(("workflows", ":id", "job"), "create_run", method="POST", level="user"),
    Route(("workflows", ":workflow", "job", ":id", "jobs"), "workflow_steps"),
    Route(("workflows", ":id", "secret", ":secret", "job"), "create_run_by_secret", "open", method="POST"),
    Route(("indicator",), "indicators", "query"),
    Route((":customer", "resource"), "monitors", "path", "new"),
    Route((":customer", "resource", ":id"), "monitor", "path", "new"),
    Route((":customer", "monitor"), "monitors", "path", "old"),
    Route((":customer", "monitor", ":id"), "monitor", "path", "old"),
    Route((":customer", "job"), "jobs", "path"),
    Route((":customer", "job"), "create", "path", method="POST", level="user"),
    Route((":customer", "job", ":id"), "job", "path"),
    Route((":customer", "job", ":id"), "forbidden", "path", method="PUT"),
    Route((":customer", "job", ":id", "lifecycle"), "lifecycle", "path"),
    Route((":customer", "job", ":id", "input"), "enter", "path", method="PUT", level="user"),
    Route((":customer", "job", ":id", "cancel"), "cancel", "path", method="PUT"),
    Route((":customer", "job", ":id", "restart"), "restart", "path", method="PUT", level="user"),
    Route((":customer", "task"), "tasks"),
    Route((":customer", "task", ":id"), "task"),
    Route((":customer", "task", ":id", "job"), "create", "path", method="POST", level="user"),
    Route((":customer", "task", ":id", "secret", ":secret", "job"), "create_by_secret", "open", method="POST"),
    Route((":customer", "host", ":id", "stats"), "host_stats"),
    *(Route(endpoint.path, kind, endpoint.check) for kind, endpoint in ENDPOINTS.items()),
)


def match(segments: tuple[str, ...], shape: str, method: str = "GET") -> Match | None:
    """The route of a path, or None; an empty segment (a trailing or double slash) never matches.

    If the path does not take the method, the match has a route of another one.
    """
    found = [route for route in ROUTES if route.shape in {"", shape} and _fits(route.pattern, segments)]
    if not found or not all(segments):
        return None
    route = next((route for route in found if route.method == method), found[0])
    variables = dict(zip(route.pattern, segments, strict=True))
    customer, object_id, secret = (variables.get(name, "") for name in (":customer", ":id", ":secret"))
    return Match(route, customer, object_id, secret, tuple(route.method for route in found))


def _fits(pattern: tuple[str, ...], segments: tuple[str, ...]) -> bool:
    return len(pattern) == len(segments) and all(
        wanted.startswith(":") or wanted == segment for wanted, segment in zip(pattern, segments, strict=True)
    )
