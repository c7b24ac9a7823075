"""TheEye's servers: their versions, clocks and certificates."""

from typing import Final

from grafana_foundation_sdk.builders import table

from theeye_dashboards.panels import Panel, Query
from theeye_dashboards.queries import Scope
from theeye_dashboards.tables import Column, rows
from theeye_dashboards.variables import link_to

__all__ = ["server_table"]

_SCOPE: Final = Scope()
_LISTED: Final = 100
_DAY: Final = 86_400


def server_table() -> table.Panel:
    """Return a line for each organisation's server."""
    info = f"max by (organization, version) ({_SCOPE('theeye_server_info')})"
    skew = f"max by (organization) ({_SCOPE('theeye_server_clock_skew_seconds')})"
    expiry = f"min by (organization) ({_SCOPE('theeye_server_certificate_expiry_timestamp_seconds')} - time())"
    known = f"0 * max by (organization) ({_SCOPE('theeye_server_info')})"
    listed = f"(bottomk({_LISTED}, {expiry}) or topk({_LISTED}, abs({skew}) or {known}))"
    return rows(
        Panel(
            title="TheEye's servers",
            description="Version, clock and certificate of each organisation's server: up to "
            f"{_LISTED} whose certificates expire next, and up to {_LISTED} whose clocks are most wrong. A clock that is ahead by "
            "some seconds makes ages wrong by as much. A server without TLS has no certificate.",
            queries=[Query(f"{expression} and on (organization) {listed}") for expression in (info, skew, expiry)],
            width=24,
            height=6,
            empty="No server has answered yet",
            needs="server",
            link=(link_to("theeye-overview"), "Overview"),
        ),
        [
            Column(name="organization", title="Organisation"),
            Column(name="version", title="Version", width=200),
            Column(name="Value #A"),
            Column(
                name="Value #B",
                title="Clock ahead by",
                unit="s",
                decimals=1,
                width=200,
                steps=((None, "orange"), (-30, "text"), (30, "orange"), (300, "red")),
            ),
            Column(
                name="Value #C",
                title="Certificate expires in",
                unit="s",
                width=200,
                steps=((None, "red"), (7 * _DAY, "orange"), (21 * _DAY, "green")),
            ),
        ],
        sort=[("Certificate expires in", False), ("Organisation", False)],
    )
