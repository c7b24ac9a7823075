"""Alerts, an Alertmanager that repeats and mixes up what it says about them, and the process that acts on them."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import chain, repeat
from pathlib import Path

from actions.model import Died, Model, ModelUpstream, Mortal
from theeye_exporter.actions.alert_runs import AlertRuns
from theeye_exporter.actions.alerts import Payload, ReceivedAlert, identity
from theeye_exporter.actions.arguments import ArgumentRule, Relabelling
from theeye_exporter.actions.episodes import Message
from theeye_exporter.actions.limits import Limits, Rate
from theeye_exporter.actions.matchers import parse_matchers
from theeye_exporter.actions.moments import Moments
from theeye_exporter.actions.plan import ActionPlan
from theeye_exporter.actions.records import Said
from theeye_exporter.actions.rows import Target, Timing
from theeye_exporter.actions.starter import Upstream
from theeye_exporter.actions.state_file import Change, StateFile
from theeye_exporter.actions.store import FileStores
from theeye_exporter.actions.targets import Found, TargetError
from theeye_exporter.actions.upstream import NoUpstream
from theeye_exporter.clocks import Clocks
from theeye_exporter.theeye.errors import Reason, UpstreamError

FREE = Limits(cooldown=0.0, max_concurrent=100, rate=Rate(1000), max_wait=36_000.0, suspend_after_failures=0)
PLAN = ActionPlan(
    name="restart",
    organization="acme",
    target="restart nginx",
    matchers=parse_matchers("alertname=Down"),
    rules=(ArgumentRule(Relabelling(("instance",))),),
    live=True,
    limits=FREE,
)


class MortalFile(StateFile):
    """A state file in whose writing the process may die."""

    mortal = Mortal(set())

    def write(self, changes: Iterable[Change]) -> None:
        self.mortal.step()
        super().write(changes)
        self.mortal.step()


@dataclass
class ModelConnection:
    """An action's way to the model of TheEye."""

    model: Model
    upstream_: ModelUpstream
    by_secret: bool = False
    hosts: set[str] = field(default_factory=set)
    task_id: str = "t"
    first: int = 0
    """The order of the task's first argument."""

    @property
    def upstream(self) -> Upstream:
        return self.upstream_

    def find(self, plan: ActionPlan, hostname: str) -> Found:
        if self.model.down:
            raise UpstreamError(Reason.TIMEOUT, "down")
        if hostname and hostname not in self.hosts:
            raise TargetError(f"no task on {hostname}")
        needed = tuple((number, f"argument {number}") for number in range(self.first, self.first + len(plan.rules)))
        return Found(Target("task", self.task_id, self.task_id), plan.target, hostname, needed)


class World:
    """The process with its state file, TheEye, and the time of all of them."""

    def __init__(
        self,
        folder: Path,
        plan: ActionPlan = PLAN,
        *,
        together: Rate = Rate(1000),  # noqa: B008 - frozen
        answers: Iterable[tuple[str, float]] = (),
        deaths: Iterable[int] = (),
    ) -> None:
        self.model = Model()
        self.plans: tuple[ActionPlan, ...] = (plan,)
        self.organizations = {"acme", "other"}
        self.together = together
        self.mortal = Mortal(set(deaths))
        self.ahead = 0.0
        """How far the process's clock of the day is ahead of everybody's."""
        self._path = folder / "state"
        self.file: StateFile | None = None
        upstream = ModelUpstream(self.model, self.mortal, chain(answers, repeat(("ok", 0.0))))
        upstream.keyed = defaultdict(bool)
        self.connection = ModelConnection(self.model, upstream)
        self.restart()

    def restart(self) -> None:
        while True:
            try:
                self._begin()
            except Died:
                continue
            return

    def _begin(self) -> None:
        self.close()
        self.file = MortalFile(self._path)
        self.file.mortal = self.mortal
        self.stores = FileStores(self.file)
        self.clocks = Clocks(lambda: self.model.now + self.ahead, lambda: self.model.now)
        self.moments = Moments(self.clocks)
        self.reload()

    def reload(self) -> None:
        """Take over the configuration without a restart."""
        self.runs = AlertRuns(
            {plan.name: plan for plan in self.plans},
            stores=self.stores,
            connect=lambda _: self.connection,
            reach=lambda name: self.connection.upstream_ if name in self.organizations else NoUpstream(name),
            together=self.together,
            clocks=self.clocks,
            moments=self.moments,
            timing=Timing(),
        )

    def close(self) -> None:
        if self.file is not None:
            self.file.close()

    @property
    def plan(self) -> ActionPlan:
        return self.plans[0]

    def change(self, **fields: object) -> None:
        """Restart with another plan."""
        self.configure(replace(self.plan, **fields))  # type: ignore[arg-type]

    def configure(self, *plans: ActionPlan) -> None:
        """Restart with other plans."""
        self.plans = plans
        self.restart()

    def send(self, instance: str, message: Message, alertname: str = "Down", action: str = "") -> Said:
        labels = {"alertname": alertname, "instance": instance}
        payload = Payload((ReceivedAlert(labels, message, identity(labels)),))
        (said,) = self.runs.receive(action or self.plan.name, payload)
        return said

    def fire(self, instance: str, start: float, action: str = "") -> str:
        return str(self.send(instance, Message(firing=True, start=start), action=action).decision)

    def resolve(self, instance: str, start: float, end: float) -> str:
        return str(self.send(instance, Message(firing=False, start=start, end=end)).decision)

    def live(self, seconds: float, *, pause: float = 5.0, bot: bool = True) -> None:
        until = self.model.now + seconds
        while self.model.now < until:
            self.runs.work()
            self.model.wait(pause)
            if bot:
                self.model.finish_all()
        self.runs.work()
