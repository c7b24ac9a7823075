"""Scrapes of `theeye-exporter actions` with two canaries, of which one fails for a while."""

from collections.abc import Iterator
from typing import Final

__all__ = ["TARGET", "scrape_of_canaries"]

TARGET: Final = 'job="theeye-actions",instance="actions:9856"'

_INTERVAL: Final = 300
_RUN: Final = 45
_FAILED: Final = {"search on web-01": range(0), "search on web-02": range(3, 6)}
"""The numbers of the runs that fail, by canary."""


def scrape_of_canaries(organization: str, start: float, now: float) -> str:
    """Return what is scraped at a Unix time, if the process started at another one."""
    return "".join(f"{line}\n" for name in _FAILED for line in _canary(organization, name, start, int(now - start)))


def _canary(organization: str, name: str, start: float, elapsed: int) -> Iterator[str]:
    labels = f'organization="{organization}",canary="{name}"'

    def sample(metric: str, value: float, *more: str) -> str:
        return f"theeye_canary_{metric}{{{','.join((labels, *more))}}} {value}"

    yield sample("interval_seconds", _INTERVAL)
    yield sample("configured_timestamp_seconds", start)
    ended = (elapsed - _RUN) // _INTERVAL + 1
    if elapsed % _INTERVAL < _RUN:
        yield sample("open_run_timestamp_seconds", start + elapsed // _INTERVAL * _INTERVAL)
    good = [number for number in range(ended) if number not in _FAILED[name]]
    yield sample("runs_total", len(good), 'outcome="success"')
    yield sample("runs_total", ended - len(good), 'outcome="timeout"')
    for bound in ("2.5", "5.0", "10.0", "30.0", "+Inf"):
        within = [number for number in good if sum(_phases(number).values()) <= float(bound)]
        yield sample("turnaround_seconds_bucket", len(within), f'le="{bound}"')
    if ended:
        yield sample("success", int(ended - 1 in good))
        yield sample("last_run_timestamp_seconds", start + (ended - 1) * _INTERVAL + _RUN)
    if good:
        phases = _phases(good[-1])
        yield sample("last_success_timestamp_seconds", start + good[-1] * _INTERVAL + _RUN)
        yield sample("last_turnaround_seconds", sum(phases.values()))
        for phase, seconds in phases.items():
            yield sample("last_duration_seconds", seconds, f'phase="{phase}"')


def _phases(number: int) -> dict[str, float]:
    return {"submit": 0.4 + number % 3 / 10, "queue": 1.0 + number * 7 % 10, "run": 1.5}
