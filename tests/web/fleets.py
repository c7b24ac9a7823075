"""Organisations in every state that the status page can show."""

from typing import Any

from theeye_exporter.polling.status import CollectorStatus, OrganizationStatus
from theeye_exporter.theeye.errors import Reason
from web.exporters import NOW

__all__ = ["HOSTILE", "fleet", "organization"]

HOSTILE = (
    "<script>alert(1)</script>",
    "</style></title><img src=x onerror=alert(1)>",
    "\"><a href='javascript:alert(1)' onclick=x>",
    "{{ 7 * 7 }}{% raw %}",
    "`</code><script>`",
    "javascript:alert(1)",
    "\u202eesrever\u2066\x00\x1b[31m\ud800",
    "two\r\nlines",
    "w" * 10_000,
    "日本語 👩\u200d💻 naïve",
    "&amp;lt;",
)
"""Names that people who know too much give to things."""


def organization(
    name: str, state: str, *, error: str = "no complete answer; raise `timeout` if this lasts", url: str | None = None
) -> OrganizationStatus:
    """Build an organisation that is up, down, failing (in part), overdue (in part), blind or waiting."""
    ok = {"success": True, "last_success": NOW - 12, "duration": 0.34, "objects": 1234}
    failed = {"success": False, "duration": 10.0}
    statuses: list[dict[str, Any]]
    match state:
        case "up":
            statuses = [ok, ok, ok]
        case "overdue":
            statuses = [{**ok, "last_success": NOW - 700}, ok, ok]
        case "blind":
            statuses = [{**ok, "objects": 0, "visible": 0}] * 3
        case "waiting":
            statuses = [{}, {}, {}]
        case "failing":
            served = {"last_success": NOW - 95, "objects": 87, "reason": Reason.TIMEOUT, "error": error, "failures": 2}
            never = {"reason": Reason.NOT_FOUND, "error": f"{error} 404", "failures": 7}
            statuses = [{**ok, "skipped": 2}, {**failed, **served}, {**failed, **never}]
        case _:
            refused = f"TheEye refuses the token (401); {Reason.UNAUTHORIZED.advice}"
            old = {"last_success": NOW - 4000, "objects": 55, "failures": 31}
            statuses = [{**failed, **old, "reason": Reason.UNAUTHORIZED, "error": refused}] * 3
    return OrganizationStatus(
        name=name,
        url=url or "https://supervisor.theeye.io",
        up={"waiting": None, "down": False}.get(state, True),
        collectors=tuple(
            CollectorStatus(
                organization=name,
                collector=collector,
                interval=30.0,
                max_age=150.0,
                succeeded=status.get("last_success"),
                **status,
            )
            for collector, status in zip(("monitors", "jobs", "tasks"), statuses, strict=True)
        ),
    )


def fleet(*states: str) -> list[OrganizationStatus]:
    """Build an organisation in each of the states."""
    return [organization(f"organization {number}", state) for number, state in enumerate(states)]
