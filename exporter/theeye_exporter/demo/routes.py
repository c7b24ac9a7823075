"""Which paths there are, what each is called, and whose organisation it looks at."""

from typing import Final, NamedTuple

__all__ = ["Match", "Route", "match"]


class Route(NamedTuple):
    """One path of the API.

    Attributes:
        pattern: Its segments; `:customer` and `:id` stand for any.
        kind: The kind of endpoint, as faults name it; empty for paths that take other methods only.
        check: How the organisation is found: `session` (from the token alone), `path` (the path's, checked against
            the token), `query` (that of `?customer=`, checked; or the token's), `open` (no token needed).
        shape: The servers that have it: all, or those with the `new` or the `old` monitors.
        method: The only method it takes.
    """

    pattern: tuple[str, ...]
    kind: str
    check: str = "session"
    shape: str = ""
    method: str = "GET"


class Match(NamedTuple):
    """A route that fits, and what its variable segments are."""

    route: Route
    customer: str
    id: str


_ROUTES: Final = (
    Route(("api", "status"), "status", "open"),
    Route(("job", "running"), "running"),
    Route(("job", "running_count"), "running_count"),
    Route(("job",), "", method="POST"),
    Route(("monitor",), "monitors", shape="new"),
    Route(("monitor", ":id"), "monitor", shape="new"),
    Route(("task",), "tasks"),
    Route(("workflows",), "workflows"),
    Route(("indicator",), "indicators", "query"),
    Route(("usage", "counters"), "usage", "query"),
    Route((":customer", "resource"), "monitors", "path", "new"),
    Route((":customer", "resource", ":id"), "monitor", "path", "new"),
    Route((":customer", "monitor"), "monitors", "path", "old"),
    Route((":customer", "monitor", ":id"), "monitor", "path", "old"),
    Route((":customer", "job"), "jobs", "path"),
    Route((":customer", "job", ":id"), "job", "path"),
    Route((":customer", "task"), "tasks"),
    Route((":customer", "task", ":id"), "task"),
    Route((":customer", "task", ":id", "job"), "", method="POST"),
    Route((":customer", "host"), "hosts"),
)


def match(segments: tuple[str, ...], shape: str) -> Match | None:
    """The route of a path, or None; an empty segment (a trailing or a double slash) fits nowhere."""
    if not all(segments):
        return None
    for route in _ROUTES:
        if route.shape in {"", shape} and len(route.pattern) == len(segments):
            variables = {"": ""}
            for wanted, segment in zip(route.pattern, segments, strict=True):
                if wanted.startswith(":"):
                    variables[wanted] = segment
                elif wanted != segment:
                    break
            else:
                return Match(route, variables.get(":customer", ""), variables.get(":id", ""))
    return None
