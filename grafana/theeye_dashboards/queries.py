"""PromQL expressions that several dashboards use.

Rules that hold for every expression here:

* Each selector has the matchers of the variables, so that two exporters, or two organisations, can be told apart.
* Joins are made within one exporter, on its id labels: an id names one object there, so none is many-to-many.
* What is true of an organisation now (states, ages) counts once, however many exporters serve it: `per_organization`
  takes the largest answer. Counters are summed, since a restart at another address continues one under a new name.
* Whatever could be as long as the fleet is aggregated, or cut by topk.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

__all__ = [
    "FAILED",
    "MONITOR",
    "RESOURCES",
    "SILENT_HOST",
    "TARGET",
    "TASK",
    "Scope",
    "either",
    "per_organization",
    "several",
]

_INTERVALS_UNTIL_STALE: Final = 5
"""After this many intervals without a successful poll, a collector's data disappears by default."""

TARGET: Final = "job, instance"
MONITOR: Final = f"{TARGET}, organization, monitor_id"
TASK: Final = f"{TARGET}, organization, task_id"

FAILED: Final = 'outcome=~"failure|timeout|error"'
"""Runs that somebody has to look at; canceled ones were meant to end."""

SILENT_HOST: Final = 'state="silent"'

RESOURCES: Final = {"cpu": "CPU", "memory": "memory", "cache": "swap", "disk": "disk"}
"""TheEye's names of what a host has, with ours."""

_NAMED: Final = 10
_TARGET_MATCHERS: Final = 'job=~"$job", instance=~"$instance"'


def either(*expressions: str) -> str:
    """Return the union of vectors whose label sets do not overlap."""
    return "(" + " or ".join(expressions) + ")"


def several(names: Iterable[str]) -> str:
    """Return label names as a list in parentheses."""
    return f"({', '.join(names)})"


def per_organization(expression: str, *by: str) -> str:
    """Return the sum of a vector; an organisation that two exporters serve is counted once."""
    group = ", ".join(dict.fromkeys(("organization", *by)))
    outer = f" by {several(by)}" if by else ""
    return f"sum{outer} (max by ({group}) (sum by (job, instance, {group}) ({expression})))"


@dataclass(frozen=True, slots=True)
class Scope:
    """The objects that are selected by a dashboard's variables.

    Attributes:
        matchers: matchers of every selector of TheEye's objects, besides those of the exporter and the organisation.
    """

    matchers: tuple[str, ...] = ()

    def __call__(self, metric: str, *matchers: str) -> str:
        """Return a selector of a metric of TheEye's objects."""
        every = (_TARGET_MATCHERS, 'organization=~"$organization"', *self.matchers, *matchers)
        return f"{metric}{{{', '.join(every)}}}"

    @staticmethod
    def target(metric: str, *matchers: str) -> str:
        """Return a selector for a metric of a whole exporter."""
        return f"{metric}{{{', '.join((_TARGET_MATCHERS, *matchers))}}}"

    @staticmethod
    def exporter(metric: str, *matchers: str) -> str:
        """Return a selector for an exporter's metric about an organisation."""
        return Scope()(metric, *matchers)

    def missing(self, collector: str, label: str) -> str:
        """Return NaN for each organisation of which a collector has no data; one without labels if nothing is scraped.

        Args:
            collector: its name.
            label: a label that says so in words.
        """
        of = f'collector="{collector}"'
        success = self.exporter("theeye_collector_success", of)
        last = self.exporter("theeye_collector_last_success_timestamp_seconds", of)
        interval = f"max by (organization) ({self.exporter('theeye_collector_interval_seconds', of)})"
        old = f"min by (organization) (time() - {last}) > {_INTERVALS_UNTIL_STALE} * {interval}"
        never = f"max by (organization) ({success}) unless on (organization) {last}"
        found = f"NaN * (topk({_NAMED}, {old} or {never}) or absent({success}))"
        said = f'label_replace({found}, "said", "No data", "", "")'
        return f'label_join({said}, "{label}", ": ", "said", "organization")'

    # Monitors.

    def monitors(self, *matchers: str, by: Iterable[str] = ()) -> str:
        """Return the number of monitors, from totals: this needs no sum over the fleet."""
        return per_organization(self("theeye_monitors", *matchers), *by)

    def share_of_monitors(self, state: str) -> str:
        """Return the share of the monitors in a state, of those that TheEye checks."""
        in_state, checked = self.monitors(f'state="{state}"'), self.monitors('state!="disabled"')
        return f"{in_state} / ({checked} > 0)"

    def monitors_in(self, state: str) -> str:
        """Return 1 for each monitor in a state, of those that TheEye checks.

        What is in no trouble is left out before anything is joined: that is nearly the whole fleet.
        """
        in_state = self("theeye_monitor_state", f'state="{state}"')
        return f"(({in_state} == 1) unless on ({MONITOR}) ({self('theeye_monitor_enabled')} == 0))"

    def count_in(self, state: str, *by: str) -> str:
        """Return the number of monitors in a state; 0 if there are monitors, but none in this state."""
        known = self("theeye_monitor_state", f'state="{state}"')
        return f"({per_organization(self.monitors_in(state), *by)} or 0 * {per_organization(known, *by)})"

    def coded_states(self) -> str:
        """Return the state of each monitor as a number: 0 normal, 1 failure, 2 updates_stopped, 3 unknown."""
        return either(*(self.coded(state) for state in ("failure", "updates_stopped", "unknown", "normal")))

    def coded(self, state: str) -> str:
        """Return the number of a state for each monitor in this state."""
        code = ("normal", "failure", "updates_stopped", "unknown").index(state)
        in_state = self("theeye_monitor_state", f'state="{state}"')
        return f"{code} * ({in_state} == 1)"

    def of_severity(self, expression: str, matchers: tuple[str, ...] = ()) -> str:
        """Return a vector of monitors with `severity` and `monitor_type` added."""
        info = self("theeye_monitor_info", *matchers)
        return f"{expression} * on ({MONITOR}) group_left (severity, monitor_type) {info}"

    def worst_first(self, value: str, state: str, limit: int) -> str:
        """Return a value of the monitors in a state, with a limit per severity, so that the worst are never cut."""
        labels = "organization, severity, hostname, monitor, monitor_id, monitor_type"
        chosen = f"({value} and on ({MONITOR}) {self.monitors_in(state)})"
        return either(
            *(
                f"topk({limit}, max by ({labels}) ({self.of_severity(chosen, (severity,))}))"
                for severity in ('severity="CRITICAL"', 'severity="HIGH"', 'severity!~"CRITICAL|HIGH"')
            )
        )

    # Hosts.

    def usage(self, resource: str) -> str:
        """Return the usage of a resource, with a label that names the resource."""
        selector = self(f"theeye_host_{resource}_usage_ratio")
        return f'label_replace({selector}, "resource", "{RESOURCES[resource]}", "", "")'

    def usages(self) -> str:
        """Return the usage of every resource of every host."""
        return either(*map(self.usage, RESOURCES))

    def pressure(self) -> str:
        """Return usage as a share of the limit in TheEye, for every resource of every host."""
        return either(
            *(
                f"{self.usage(resource)} / on ({MONITOR}) group_left () "
                + self("theeye_host_usage_threshold_ratio", f'resource="{resource}"')
                for resource in RESOURCES
            )
        )

    def hosts_with_usage(self) -> str:
        """Return the number of hosts with statistics."""
        group = f"group by ({TARGET}, organization, hostname) ({self('theeye_host_cpu_usage_ratio')})"
        return per_organization(group)

    def hosts_above_a_limit(self) -> str:
        """Return the number of hosts with a resource above its limit; 0 if there are hosts, but none is above."""
        of_host = f"group by ({TARGET}, organization, hostname)"
        above = " or ".join(
            f"{of_host} ({self(f'theeye_host_{resource}_usage_ratio')} > on ({MONITOR}) group_left () "
            + self("theeye_host_usage_threshold_ratio", f'resource="{resource}"')
            + ")"
            for resource in RESOURCES
        )
        return f"({per_organization(above)} or 0 * {self.hosts_with_usage()})"

    # Tasks and jobs.

    def runs(self, window: str, *matchers: str, by: str = "") -> str:
        """Return the number of runs that ended in a window."""
        group = f" by ({by})" if by else ""
        return f"sum{group} (increase({self('theeye_job_runs_total', *matchers)}[{window}]))"

    def runs_per_minute(self, metric: str = "theeye_job_runs_total", *, by: str = "outcome") -> str:
        """Return the number of runs that end per minute; an outcome without runs has no series and no line."""
        return f"60 * sum by ({by}) (rate({self(metric)}[$__rate_interval])) > 0"

    def success_rate(self, window: str, *, by: str = "") -> str:
        """Return the share of successful runs among those that were not canceled."""
        succeeded = self.runs(window, 'outcome="success"', by=by)
        judged = self.runs(window, 'outcome!="canceled"', by=by)
        return f"{succeeded} / ({judged} > 0)"

    def mean(self, histogram: str, window: str, *, by: str = "") -> str:
        """Return the mean of a histogram's observations in a time range; a task without runs has none."""
        group = f" by ({by})" if by else ""
        total = f"sum{group} (rate({self(f'{histogram}_sum')}[{window}]))"
        return f"{total} / (sum{group} (rate({self(f'{histogram}_count')}[{window}])) > 0)"

    def quantile(self, quantile: str, histogram: str) -> str:
        """Return a quantile of a histogram's observations."""
        buckets = f"rate({self(f'{histogram}_bucket')}[$__rate_interval])"
        return f"histogram_quantile({quantile}, sum by (le) ({buckets}))"

    def waiting(self, window: str, by: str = "") -> str:
        """Return the mean time between creation and start: turnaround minus run time, for tasks with both."""
        group = f" by ({by})" if by else ""
        timed = f"(rate({self('theeye_job_duration_seconds_count')}[{window}]) > 0)"

        def total(series: str) -> str:
            rate = f"rate({self(series)}[{window}])"
            return f"sum{group} ({rate} and on ({TASK}) {timed})"

        turnaround = f"{total('theeye_job_turnaround_seconds_sum')} / {total('theeye_job_turnaround_seconds_count')}"
        run_time = f"{total('theeye_job_duration_seconds_sum')} / {total('theeye_job_duration_seconds_count')}"
        return f"clamp_min({turnaround} - {run_time}, 0)"

    def open_for(self) -> str:
        """Return the age of each task's oldest open job that is not on hold."""
        oldest = self("theeye_task_oldest_open_job_timestamp_seconds", 'lifecycle!="onhold"')
        return f"(time() - min without (lifecycle) ({oldest}))"

    def stuck(self, *, as_bool: bool = False) -> str:
        """Return the tasks whose oldest job has been open for longer than the timeout plus TheEye's own minute."""
        operator = "> bool" if as_bool else ">"
        return f"{self.open_for()} {operator} on ({TASK}) ({self('theeye_task_timeout_seconds')} + 60)"

    def age(self, timestamps: str, *matchers: str) -> str:
        """Return the time since something happened."""
        return f"(time() - {self(timestamps, *matchers)})"
