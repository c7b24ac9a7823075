"""What each alert is about: series while all is well, and while something is broken.

Each scenario is one place for one alert. `matrix.py` makes unit tests for promtool of them, with many kinds of scrapes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

__all__ = ["MINUTE", "SCENARIOS", "STORMS", "Scenario", "Series"]

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

Value = Callable[[float, float], float | None]
"""A value at a time, and so many seconds after something broke; negative before that, and None if there is no sample."""


@dataclass(frozen=True, slots=True)
class Series:
    """A series of one exporter.

    Attributes:
        name: The metric.
        labels: Its labels, without those of the target.
        value: Its value.
        everywhere: Whether every exporter sees what is broken, or only the first one.
        counts_from_start: Whether it is a counter of the exporter, and starts at 0 without a state file.
    """

    name: str
    labels: str
    value: Value
    everywhere: bool = True
    counts_from_start: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """A fault, and the alert that has to follow.

    Attributes:
        alert: The alert.
        series: The series that matter for it.
        fires_within: Minutes after which it fires at the latest, with a scrape a minute.
        broken_for: Minutes for which it is broken.
        quiet_within: Minutes after the repair in which it ends.
        survives_restart: Whether it goes on firing while an exporter restarts; the alerts about exporters need not.
    """

    alert: str
    series: tuple[Series, ...]
    fires_within: int
    broken_for: int = 60
    quiet_within: int = 20
    survives_restart: bool = True

    @property
    def minutes(self) -> int:
        """Minutes from the fault until the alert must have ended."""
        return self.broken_for + self.quiet_within


def _while(well: float | None, broken: float | None) -> Value:
    return lambda _, since: broken if since >= 0 else well


def _stops(_: float, since: float) -> float:
    """A time that is now while all is well, and stays behind while it is not."""
    return _ - max(since, 0)


def _grows(per_second: float, broken: float) -> Value:
    return lambda t, since: t * per_second if since < 0 else (t - since) * per_second + since * broken


ORG: Final = 'organization="acme"'
CANARY: Final = f'{ORG},canary="c",task_id="t"'
ACTION: Final = f'{ORG},action="a"'
MONITOR: Final = f'{ORG},monitor_id="m",monitor="shop",hostname="web-01"'
TASK: Final = f'{ORG},task_id="t",task="import",hostname="web-01"'
HOST: Final = f'{ORG},monitor_id="m",hostname="web-01"'


def _monitor(state: str, severity: str, kind: str = "script") -> tuple[Series, ...]:
    info = f'{MONITOR},monitor_type="{kind}",severity="{severity}",tags="",alerts="true"'
    return (
        Series("theeye_monitor_info", info, _while(1, 1)),
        Series("theeye_monitor_enabled", MONITOR, _while(1, 1)),
        Series("theeye_monitor_state", f'{MONITOR},state="normal"', _while(1, 0)),
        Series("theeye_monitor_state", f'{MONITOR},state="{state}"', _while(0, 1)),
        # The host itself works.
        Series(
            "theeye_monitor_state", f'{ORG},monitor_id="o",monitor="o",hostname="web-01",state="normal"', _while(1, 1)
        ),
        Series(
            "theeye_monitor_state",
            f'{ORG},monitor_id="o",monitor="o",hostname="web-01",state="updates_stopped"',
            _while(0, 0),
        ),
    )


def _usage(severity: str) -> tuple[Series, ...]:
    info = f'{MONITOR},monitor_type="dstat",severity="{severity}",tags="",alerts="true"'
    return (
        Series("theeye_monitor_info", info, _while(1, 1)),
        Series("theeye_host_cpu_usage_ratio", HOST, _while(0.5, 0.97)),
        Series("theeye_host_usage_threshold_ratio", f'{HOST},resource="cpu"', _while(0.9, 0.9)),
    )


def _collector(name: str, success: Value, reason: str, *, up: float = 1) -> tuple[Series, ...]:
    labels = f'{ORG},collector="{name}"'
    return (
        Series("theeye_up", ORG, _while(1, up)),
        Series("theeye_collector_success", labels, success),
        Series("theeye_collector_last_success_timestamp_seconds", labels, _stops),
        Series("theeye_collector_interval_seconds", labels, _while(60, 60)),
        Series("theeye_collector_failing", f'{labels},reason="{reason}"', _while(None, 1)),
    )


_TARGET: Final = (Series("theeye_up", ORG, _while(1, 1)),)
_HOUR_OF_RUNS: Final = _grows(0, 1 / MINUTE)


def _canary(success: Value, last_run: Value, last_success: Value) -> tuple[Series, ...]:
    """A canary of the first exporter; another exporter has its own."""
    values = {
        "success": success,
        "last_run_timestamp_seconds": last_run,
        "last_success_timestamp_seconds": last_success,
        "configured_timestamp_seconds": _while(0, 0),
        "interval_seconds": _while(300, 300),
    }
    return (
        *_TARGET,
        *(Series(f"theeye_canary_{name}", CANARY, value, everywhere=False) for name, value in values.items()),
    )


def _action(*series: tuple[str, str, Value]) -> tuple[Series, ...]:
    """An action; its counters are in the state file."""
    return (*_TARGET, *(Series(f"theeye_action_{name}", f"{ACTION}{labels}", value) for name, labels, value in series))


def _storm(broken_for: int) -> list[Scenario]:
    fleet = f'{ORG},severity="HIGH"'
    return [
        Scenario(
            "TheEyeManyMonitorsFailing",
            (
                *_TARGET,
                Series("theeye_monitors", f'{fleet},state="normal"', _while(100, 70)),
                Series("theeye_monitors", f'{fleet},state="failure"', _while(2, 32)),
            ),
            fires_within=4,
            broken_for=broken_for,
        ),
        Scenario(
            "TheEyeManyHostsSilent",
            (
                *_TARGET,
                Series("theeye_hosts", f'{ORG},state="up"', _while(30, 20)),
                Series("theeye_hosts", f'{ORG},state="silent"', _while(0, 10)),
            ),
            fires_within=4,
            broken_for=broken_for,
        ),
        Scenario(
            "TheEyeManyTasksFailing",
            (
                *_TARGET,
                *(
                    Series(
                        "theeye_job_consecutive_failures",
                        f'{ORG},task_id="t{i}",task="t{i}",hostname=""',
                        _while(0, 4 if i < 12 else 0),
                    )
                    for i in range(15)
                ),
            ),
            fires_within=4,
            broken_for=broken_for,
            quiet_within=25,
        ),
    ]


SCENARIOS: Final[list[Scenario]] = [
    Scenario(
        "TheEyeExporterDown",
        (*_TARGET, Series("up", "", _while(1, 0), everywhere=False)),
        fires_within=10,
        survives_restart=False,
    ),
    Scenario(
        "TheEyeExporterRestarting",
        (
            *_TARGET,
            Series(
                "process_start_time_seconds", "", lambda t, since: 0 if since < 0 else t // 300 * 300, everywhere=False
            ),
        ),
        fires_within=25,
        quiet_within=80,
        survives_restart=False,
    ),
    Scenario(
        "TheEyeExporterAbsent",
        (Series("theeye_exporter_build_info", 'version="1",python_version="3"', _while(1, None)), *_TARGET),
        fires_within=20,
        survives_restart=False,
    ),
    Scenario(
        "TheEyeOrganizationMuted", (Series("theeye_up", ORG, _while(1, None)),), fires_within=7, survives_restart=False
    ),
    Scenario(
        "TheEyeOrganizationMissing",
        (Series("theeye_up", ORG, _while(1, None)),),
        fires_within=20,
        survives_restart=False,
    ),
    Scenario(
        "TheEyeConfigReloadFailed",
        (*_TARGET, Series("theeye_exporter_config_last_reload_successful", "", _while(1, 0), everywhere=False)),
        fires_within=8,
    ),
    Scenario(
        "TheEyeSeriesCut",
        (*_TARGET, Series("theeye_exporter_cut_series", 'family="theeye_task_info"', _while(0, 9), everywhere=False)),
        fires_within=13,
    ),
    Scenario(
        "TheEyeLedgerUnhealthy",
        (*_TARGET, Series("theeye_ledger_healthy", ORG, _while(1, 0), everywhere=False)),
        fires_within=8,
    ),
    Scenario(
        "TheEyeTokenRejected",
        _collector("monitors", _while(1, 0), "unauthorized", up=0),
        fires_within=6,
        quiet_within=25,
    ),
    Scenario(
        "TheEyeTokenForbidden", _collector("workflows", _while(1, 0), "forbidden"), fires_within=19, quiet_within=25
    ),
    Scenario(
        "TheEyeTokenSeesNothing",
        (*_TARGET, Series("theeye_organization_visible_objects", ORG, _while(90, 0))),
        fires_within=19,
    ),
    Scenario("TheEyeUpstreamDown", (Series("theeye_up", ORG, _while(1, 0)),), fires_within=8),
    Scenario(
        "TheEyeUpstreamErrors",
        (
            *_TARGET,
            Series(
                "theeye_api_requests_total",
                f'{ORG},endpoint="tasks",status="200"',
                _grows(0.1, 0.06),
                counts_from_start=True,
            ),
            Series(
                "theeye_api_requests_total",
                f'{ORG},endpoint="tasks",status="503"',
                _grows(0, 0.04),
                counts_from_start=True,
            ),
        ),
        fires_within=25,
        quiet_within=30,
    ),
    Scenario("TheEyeMonitorsMuted", _collector("monitors", _while(1, 0), "timeout"), fires_within=10),
    Scenario("TheEyeMonitorsStale", _collector("monitors", _while(1, 0), "timeout"), fires_within=19),
    Scenario("TheEyeDataStale", _collector("jobs", _while(1, 0), "timeout"), fires_within=19),
    Scenario(
        "TheEyeClockSkew",
        (*_TARGET, Series("theeye_server_clock_skew_seconds", ORG, _while(0.2, -300))),
        fires_within=19,
    ),
    Scenario(
        "TheEyeCertificateExpiring",
        (*_TARGET, Series("theeye_server_certificate_expiry_timestamp_seconds", ORG, _while(90 * DAY, 13 * DAY))),
        fires_within=65,
        broken_for=120,
    ),
    Scenario("TheEyeCriticalMonitorFailing", (*_TARGET, *_monitor("failure", "CRITICAL")), fires_within=5),
    Scenario("TheEyeMonitorFailing", (*_TARGET, *_monitor("failure", "HIGH")), fires_within=8),
    Scenario("TheEyeMinorMonitorFailing", (*_TARGET, *_monitor("failure", "LOW")), fires_within=8),
    Scenario("TheEyeMonitorSilent", (*_TARGET, *_monitor("updates_stopped", "HIGH")), fires_within=13),
    Scenario("TheEyeMinorMonitorSilent", (*_TARGET, *_monitor("updates_stopped", "LOW")), fires_within=13),
    Scenario(
        "TheEyeMonitorFlapping",
        (*_TARGET, Series("theeye_monitor_recoveries_total", MONITOR, lambda _, since: max(since, 0) // 300)),
        fires_within=50,
        broken_for=90,
        quiet_within=110,
    ),
    Scenario("TheEyeCriticalHostSilent", (*_TARGET, *_monitor("updates_stopped", "CRITICAL", "host")), fires_within=5),
    Scenario("TheEyeHostSilent", (*_TARGET, *_monitor("updates_stopped", "HIGH", "host")), fires_within=5),
    Scenario("TheEyeCriticalHostUsageHigh", (*_TARGET, *_usage("CRITICAL")), fires_within=18),
    Scenario("TheEyeHostUsageHigh", (*_TARGET, *_usage("HIGH")), fires_within=18),
    Scenario("TheEyeMinorHostUsageHigh", (*_TARGET, *_usage("LOW")), fires_within=18),
    Scenario(
        "TheEyeDiskFillingFast",
        (
            *_TARGET,
            Series(
                "theeye_host_disk_usage_ratio",
                f'{HOST},device="sda"',
                lambda _, since: 0.82 + max(since, 0) * 0.0008 / 60,
            ),
        ),
        fires_within=75,
        broken_for=120,
        quiet_within=90,
    ),
    Scenario(
        "TheEyeDiskFilling",
        (
            *_TARGET,
            Series(
                "theeye_host_disk_usage_ratio",
                f'{HOST},device="sda"',
                lambda _, since: 0.65 + max(since, 0) * 0.0003 / 60,
            ),
        ),
        fires_within=300,
        broken_for=360,
        quiet_within=120,
    ),
    Scenario(
        "TheEyeTaskFailing", (*_TARGET, Series("theeye_job_consecutive_failures", TASK, _while(2, 4))), fires_within=4
    ),
    Scenario(
        "TheEyeTaskOverdue",
        (
            *_TARGET,
            Series(
                "theeye_task_missed_trigger_timestamp_seconds", TASK, lambda t, since: t - since if since >= 0 else None
            ),
        ),
        fires_within=14,
    ),
    Scenario(
        "TheEyeSchedulerStalled",
        (
            *_TARGET,
            Series("theeye_collector_last_success_timestamp_seconds", f'{ORG},collector="tasks"', lambda t, _: t),
            Series("theeye_collector_interval_seconds", f'{ORG},collector="tasks"', _while(60, 60)),
            *(
                Series(
                    "theeye_task_schedule_next_run_timestamp_seconds",
                    f'{ORG},task_id="t{i}",task="t{i}",hostname=""',
                    lambda t, since: t + 60 - max(since, 0),
                )
                for i in range(4)
            ),
        ),
        fires_within=20,
    ),
    Scenario(
        "TheEyeScheduleFailed",
        (*_TARGET, Series("theeye_task_schedules", f'{TASK},state="failed"', _while(0, 1))),
        fires_within=13,
    ),
    Scenario(
        "TheEyeJobStuck",
        (
            *_TARGET,
            Series(
                "theeye_task_oldest_open_job_timestamp_seconds",
                f'{TASK},lifecycle="assigned"',
                lambda t, since: t - since if since >= 0 else None,
            ),
            Series("theeye_task_timeout_seconds", TASK, _while(600, 600)),
            Series("theeye_job_last_finish_timestamp_seconds", TASK, _stops),
        ),
        fires_within=24,
    ),
    Scenario(
        "TheEyeJobOnHold",
        (
            *_TARGET,
            Series(
                "theeye_task_oldest_open_job_timestamp_seconds",
                f'{TASK},lifecycle="onhold"',
                lambda t, since: t - since - DAY if since >= 0 else None,
            ),
        ),
        fires_within=9,
    ),
    Scenario(
        "TheEyeQueueGrowing",
        (
            *_TARGET,
            Series("theeye_task_jobs", f'{TASK},lifecycle="ready"', lambda _, since: max(since, 0) // MINUTE),
        ),
        fires_within=50,
        broken_for=90,
        quiet_within=30,
    ),
    Scenario(
        "TheEyeWorkflowFailing",
        (
            *_TARGET,
            Series("theeye_workflow_consecutive_failures", f'{ORG},workflow_id="w",workflow="ETL"', _while(0, 3)),
        ),
        fires_within=4,
    ),
    Scenario(
        "TheEyeRunsUnseen",
        (*_TARGET, Series("theeye_task_unseen_runs_total", TASK, _HOUR_OF_RUNS, counts_from_start=True)),
        fires_within=130,
        broken_for=200,
        quiet_within=90,
    ),
    Scenario(
        "TheEyeCanaryFailing",
        _canary(_while(1, 0), last_run=lambda t, _: t // 300 * 300, last_success=_stops),
        fires_within=13,
    ),
    Scenario("TheEyeCanarySilent", _canary(_while(1, 1), last_run=_stops, last_success=_stops), fires_within=18),
    Scenario(
        "TheEyeCanarySlow",
        (*_TARGET, Series("theeye_canary_last_turnaround_seconds", CANARY, _while(10, 90), everywhere=False)),
        fires_within=30,
        quiet_within=45,
    ),
    Scenario(
        "TheEyeActionFailing",
        _action(
            ("runs_total", ',outcome="failure"', _grows(0, 1 / (5 * MINUTE))),
            ("last_outcome", ',outcome="failure"', _while(0, 1)),
            ("last_outcome", ',outcome="success"', _while(1, 0)),
        ),
        fires_within=14,
    ),
    Scenario("TheEyeActionSuspended", _action(("suspended", "", _while(0, 1))), fires_within=4),
    Scenario(
        "TheEyeActionFateUnknown",
        _action(("runs_total", ',outcome="lost"', lambda t, _: float(t >= HOUR))),
        fires_within=6,
        broken_for=30,
        quiet_within=60,
    ),
    Scenario(
        "TheEyeActionStuck",
        _action(
            ("oldest_open_run_timestamp_seconds", "", lambda t, since: t - since if since >= 0 else None),
            ("open_run_limit_seconds", "", _while(900, 900)),
        ),
        fires_within=40,
    ),
    Scenario("TheEyeActionIneffective", _action(("unhelped_alerts", "", _while(0, 1))), fires_within=20),
    Scenario(
        "TheEyeActionAlertsTruncated",
        _action(("truncated_alerts_total", "", _grows(0, 1 / MINUTE))),
        fires_within=6,
        quiet_within=80,
    ),
    Scenario(
        "TheEyeActionReceiverDown",
        (
            *_TARGET,
            Series("theeye_action_info", ACTION, _while(1, 1)),
            Series("up", "", _while(1, 0), everywhere=False),
        ),
        fires_within=10,
        survives_restart=False,
    ),
    Scenario(
        "TheEyeActionReceiverFailing",
        (
            *_TARGET,
            Series(
                "theeye_action_requests_total",
                f'{ACTION},code="503"',
                _grows(0, 1 / MINUTE),
                counts_from_start=True,
            ),
        ),
        fires_within=10,
        quiet_within=25,
    ),
    *_storm(60),
]
"""One for each alert."""

STORMS: Final = _storm(26 * 60)
"""The alerts on many failures, over more than a day."""
