"""Numbers of monitors and hosts, so that nobody has to sum over the series of a large fleet."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from theeye_exporter.collectors.monitors import families as f
from theeye_exporter.collectors.monitors.report import Report
from theeye_exporter.collectors.states import STATES
from theeye_exporter.exposition.labels import format_labels
from theeye_exporter.exposition.samples import Samples

__all__ = ["add_totals"]

_SHOWN: Final = (*STATES, "disabled")
_HOST_STATES: Final = {"normal": "up", "failure": "up", "updates_stopped": "silent", "disabled": "disabled"}


def add_totals(samples: Samples, organization: str, reports: Sequence[Report]) -> None:
    """Add the numbers of monitors by state and severity, and of hosts by state."""
    monitors: Counter[tuple[str, str]] = Counter()
    hosts: Counter[str] = Counter()
    for report in reports:
        known = report.known
        state = "disabled" if known.enabled is False else STATES[report.state]
        monitors[state, known.severity] += 1
        if known.is_host:
            hosts[_HOST_STATES.get(state, "")] += 1
    for severity in (*f.SEVERITIES, "other"):
        for state in _SHOWN:
            if severity in f.SEVERITIES or monitors[state, severity]:
                labels = format_labels(f.MONITORS.labels, (organization, state, severity))
                samples[f.MONITORS].add(labels, monitors[state, severity])
    for state in dict.fromkeys(_HOST_STATES.values()):
        samples[f.HOSTS].add(format_labels(f.HOSTS.labels, (organization, state)), hosts[state])
