"""What an action does: which alerts start what, with which arguments, and how often."""

from dataclasses import dataclass, field
from typing import Literal

from theeye_exporter.actions.arguments import ArgumentRule, Relabelling
from theeye_exporter.actions.limits import Limits
from theeye_exporter.actions.matchers import Matcher

__all__ = ["ActionPlan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionPlan:
    """One action.

    Attributes:
        name: Its name, unique in the process.
        organization: The organisation of its target.
        kind: What it starts.
        target: The id or name of that, or `name@hostname`.
        hostname_from: How the host of the target is made of labels; None if `target` says it all.
        matchers: An alert must fulfil all of them.
        rules: How the arguments are made.
        live: Whether it starts anything; a dry run only decides.
        limits: How often it starts something.
        timeout: Seconds after which a run is cancelled.
    """

    name: str
    organization: str
    kind: Literal["task", "workflow"] = "task"
    target: str
    hostname_from: Relabelling | None = None
    matchers: tuple[Matcher, ...]
    rules: tuple[ArgumentRule, ...] = ()
    live: bool = False
    limits: Limits = field(default_factory=Limits)
    timeout: float = 600.0

    @property
    def sends(self) -> str:
        """What it starts, for people."""
        return f"{self.kind} {self.target}" + ("" if self.hostname_from is None else "@(host of the alert)")
