"""Scrapes of `theeye-exporter actions` with an action that alerts start every ten minutes, and one that is a dry run."""

from collections.abc import Iterator, Mapping
from typing import Final

from theeye_exporter.actions.alert_families import OUTCOMES, PHASES, RESULTS
from theeye_exporter.actions.records import Decision

__all__ = ["LIVE", "scrape_of_actions"]

LIVE: Final = "restart nginx"
_DRY: Final = "clean disk"
_PERIOD: Final = 600
"""An alert of each action begins so often, and is sent once a minute."""
_FIRES: Final = 240
_FAILED: Final = 2
"""The number of the run that fails."""
_STARTS: Final = 12
_ENDS: Final = 40


def scrape_of_actions(organization: str, start: float, now: float) -> str:
    """Return what is scraped at a Unix time, if the process started at another one."""
    elapsed = int(now - start)
    lines = [
        line
        for action, mode in ((LIVE, "live"), (_DRY, "dry_run"))
        for line in _action(f'organization="{organization}",action="{action}"', mode, start, elapsed)
    ]
    return "".join(f"theeye_action_{line}\n" for line in lines)


def _action(labels: str, mode: str, start: float, elapsed: int) -> Iterator[str]:
    def sample(metric: str, value: float, *more: str) -> str:
        return f"{metric}{{{','.join((labels, *more))}}} {value}"

    def each(metric: str, label: str, values: tuple[str, ...], found: Mapping[str, int]) -> Iterator[str]:
        return (sample(metric, found.get(value, 0), f'{label}="{value}"') for value in values)

    begun, into = elapsed // _PERIOD + 1, elapsed % _PERIOD
    live = mode == "live"
    started = (begun - (into < _STARTS)) * live
    ended = (begun - (into < _ENDS)) * live
    good = ended - (ended > _FAILED)
    minutes = elapsed // 60 + 1
    resolved = begun - (into < _FIRES)
    yield sample("info", 1, f'mode="{mode}"', 'kind="task"', f'target="{"restart nginx@web-01" if live else "clean"}"')
    yield from each("alerts_total", "status", ("firing", "resolved", "bad"), {"firing": minutes, "resolved": resolved})
    decided = {"started": started, "waiting": begun, "duplicate": minutes - begun} if live else {"dry_run": minutes}
    yield from each("decisions_total", "decision", tuple(Decision), {**decided, "resolved": resolved})
    yield from each("requests_total", "code", ("200", "400", "500", "503"), {"200": minutes})
    yield from each("runs_total", "outcome", OUTCOMES, {"success": good, "failure": ended - good})
    phases = {"deciding": into < _STARTS, "running": _STARTS <= into < _ENDS} if live else {}
    yield from each("open_runs", "phase", PHASES, {phase: int(is_in) for phase, is_in in phases.items()})
    yield sample("open_run_limit_seconds", 900)
    after_run = resolved if live else 0
    results = {"resolved_after_run": after_run, "resolved_without_run": resolved - after_run}
    yield from each("episodes_total", "result", RESULTS, results)
    yield sample("open_episodes", begun - resolved)
    yield sample("unhelped_alerts", 0)
    yield sample("truncated_alerts_total", 0)
    yield sample("suspended", 0)
    for metric, seconds, count in (("alert_to_start", _STARTS, started), ("turnaround", _ENDS - _STARTS, ended)):
        for bound in ("10.0", "30.0", "60.0", "+Inf"):
            yield sample(f"{metric}_seconds_bucket", count * (seconds <= float(bound)), f'le="{bound}"')
    if phases.get("deciding") or phases.get("running"):
        yield sample("oldest_open_run_timestamp_seconds", start + elapsed - into)
    if started:
        yield sample("last_start_timestamp_seconds", start + (started - 1) * _PERIOD + _STARTS)
    if ended:
        last = "failure" if ended - 1 == _FAILED else "success"
        yield from each("last_outcome", "outcome", OUTCOMES, {last: 1})
        yield sample("last_end_timestamp_seconds", start + (ended - 1) * _PERIOD + _ENDS)
        succeeded = ended - 2 if last == "failure" else ended - 1
        yield sample("last_success_timestamp_seconds", start + succeeded * _PERIOD + _ENDS)
