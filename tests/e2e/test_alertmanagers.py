"""What two clustered Alertmanagers say, or do not say, in odd cases: each starts what the table of the documentation says."""

import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from alertmanagers import RECEIVER, Alertmanager, BadProxy, bad_proxy, cluster
from processes import eventually
from receiving import acting_theeye, configuration, recorded_runs, samples, serving
from theeye_exporter.actions.alert_records import AlertRecords
from theeye_exporter.actions.records import Begun
from theeye_exporter.actions.state_file import StateFile

pytestmark = pytest.mark.e2e

OLD: Final = 1200.0
"""Seconds for which an alert fires, so that what begins now is another period."""
YOUNG: Final = 60.0
"""Seconds for which an alert fires, so that what begins now belongs to the same period."""
EACH: Final = {"group_by": ["..."], "group_wait": "0s", "group_interval": "1s", "repeat_interval": "4s"}
SLOWER: Final = {**EACH, "group_interval": "5s", "repeat_interval": "6s"}


@dataclass
class Stage:
    """All programs, and what they did."""

    both: list[Alertmanager]
    proxy: BadProxy
    runs: list[tuple[Any, ...]]
    url: str

    def fire(self, instance: str, start: float) -> None:
        """Tell both that an alert fires, and wait until this has arrived."""
        self._tell(instance, start, time.time() + 3600)
        eventually(lambda: self.has_arrived(instance, "firing", start), f"{instance} fires since {start}")

    def resolve(self, instance: str, start: float) -> None:
        """Tell both that an alert is resolved."""
        self._tell(instance, start, time.time())

    def has_arrived(self, instance: str, status: str, since: float = 0.0) -> bool:
        """Whether a message about an alert that began then, or later, was passed on."""
        return any(
            one.instance == instance and one.status == status and one.start >= since - 0.001 for one in self.proxy.told
        )

    def has_run(self, **times: int) -> None:
        """Wait until each alert had so many runs, and no other had any."""
        expected = Counter({(name,): count for name, count in times.items()})
        eventually(lambda: len(self.runs) >= expected.total(), "runs")
        assert Counter(self.runs) == expected

    def marked(self) -> None:
        """Wait until an alert that begins now has been sent, has run, and its end has been sent."""
        start = time.time()
        name = f"marker{len(self.runs)}"
        self.fire(name, start)
        eventually(lambda: (name,) in self.runs, "the run of the marker")
        self.resolve(name, start)
        eventually(lambda: self.has_arrived(name, "resolved"), "the end of the marker")
        self.runs.remove((name,))

    def _tell(self, instance: str, start: float, end: float) -> None:
        for one in self.both:
            one.tell({"alertname": "Down", "instance": instance}, start, end)


@contextmanager
def staged(folder: Path, route: Mapping[str, Any]) -> Iterator[Stage]:
    with acting_theeye(arguments=1) as theeye, recorded_runs(theeye) as runs:
        file = configuration(theeye, folder, "arguments: [{source_labels: [instance]}]\n    cooldown: 0s")
        state, born = StateFile(folder / "state"), time.time() - 2 * OLD
        with AlertRecords(state, born).draft() as draft:  # what began since then may start runs
            draft.put("restart-nginx", Begun("demo", born))
        state.close()
        with (
            serving(file, folder / "log") as url,
            bad_proxy(url, random.Random(1), bad=False) as proxy,  # noqa: S311 - not used
            cluster(folder, f"{proxy.url}{RECEIVER}", [route]) as both,
        ):
            yield Stage(both, proxy, runs, url)


def test_silenced_and_resolved(tmp_path: Path) -> None:
    with staged(tmp_path, EACH) as stage:
        begun = {"old": time.time() - OLD, "young": time.time() - YOUNG}
        for name, start in begun.items():
            stage.fire(name, start)
        stage.has_run(old=1, young=1)
        silences = [stage.both[0].silence(name) for name in begun]
        for one in stage.both:
            for name in begun:
                eventually(lambda one=one, name=name: one.state_of(name) == "suppressed", f"{name} is silent")  # type: ignore[misc]
        for name, start in begun.items():
            stage.resolve(name, start)
        stage.marked()
        assert not any(stage.has_arrived(name, "resolved") for name in begun)
        assert samples(stage.url)["theeye_action_open_episodes"] == 2
        for silence in silences:
            stage.both[1].unsilence(silence)
        again = time.time()
        for name in begun:
            stage.fire(name, again)
        stage.has_run(old=2, young=1)
        stage.marked()
        stage.has_run(old=2, young=1)
        values = samples(stage.url)
        assert values["theeye_action_episodes_total/superseded"] == 1
        assert values["theeye_action_open_episodes"] == 2


def test_resolved_and_fired_again_within_the_interval_of_the_group(tmp_path: Path) -> None:
    with staged(tmp_path, SLOWER) as stage:
        begun = {"old": time.time() - OLD, "young": time.time() - YOUNG}
        for name, start in begun.items():
            stage.fire(name, start)
        stage.has_run(old=1, young=1)
        for name, start in begun.items():
            stage.resolve(name, start)
            stage.fire(name, time.time())
        stage.has_run(old=2, young=1)
        stage.marked()
        stage.has_run(old=2, young=1)


def test_alertmanagers_that_forget_everything(tmp_path: Path) -> None:
    with staged(tmp_path, EACH) as stage:

        def forget() -> None:
            for one in stage.both:
                one.kill()
            for one in stage.both:
                one.lose_storage()
                one.start(wait=False)
            for one in stage.both:
                one.wait()
            stage.proxy.told.clear()

        begun = {"old": time.time() - OLD, "young": time.time() - YOUNG}
        for name, start in begun.items():
            stage.fire(name, start)
        stage.has_run(old=1, young=1)
        forget()
        for name, start in begun.items():  # it goes on, and its start has moved as a restart of Prometheus moves it
            stage.fire(name, start + 30)
        stage.marked()
        stage.has_run(old=1, young=1)
        forget()  # and meanwhile, both are resolved, and fire again
        again = time.time()
        for name in begun:
            stage.fire(name, again)
        stage.has_run(old=2, young=1)
        stage.marked()
        stage.has_run(old=2, young=1)
        assert samples(stage.url)["theeye_action_episodes_total/superseded"] == 1
