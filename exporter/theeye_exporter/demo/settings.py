"""The settings of a simulated TheEye: its size, age, speed and faults."""

from dataclasses import dataclass
from typing import Literal

from theeye_exporter.demo.faults import Fault

__all__ = ["DemoSettings"]

_FASTEST = 1000
"""At a higher speed, the simulation could not keep up with the clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSettings:
    """The size, age, speed and faults of a simulated TheEye.

    Attributes:
        organization: Name of the one organisation whose objects are served.
        token: An integration token: it sees everything of the organisation.
        agent_token: A bot's token: listing jobs with it takes them off the queue.
        viewer_token: A valid token that only sees hosts and webhooks.
        user_token: The token of a user of level user, with whom tasks and workflows are shared.
        neighbour: A second organisation that exists; the tokens above do not belong to it.
        neighbour_token: The token of a user of level user in that organisation.
        monitors: Number of monitors at the start.
        tasks: Number of tasks at the start.
        speed: Simulated seconds per second of the clock.
        shape: `new` is the API of servers since 2.0.0. `old` is the API before: monitors only at `/{customer}/monitor`
            with the state nested in `resource`; the job list ignores where, sort and limit and carries each result.
        cost: `none`, or `supervisor`: requests take as long as those of a real supervisor, and wait for each other.
        calm: If True, no monitor fails, no bot falls silent, and every job succeeds, unless a test or fault causes it.
        mending: If True, there are tasks whose runs mend a monitor of their host, and one for a canary.
        seed: Seed of the random events; two worlds with the same settings and clock are equal.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        faults: Faults that are active from the start.
    """

    organization: str = "demo"
    token: str = "demo-integration-token"  # noqa: S105 - only valid for the simulation
    agent_token: str = "demo-agent-token"  # noqa: S105 - only valid for the simulation
    viewer_token: str = "demo-viewer-token"  # noqa: S105 - only valid for the simulation
    user_token: str = "demo-user-token"  # noqa: S105 - only valid for the simulation
    neighbour: str = "neighbour"
    neighbour_token: str = "neighbour-user-token"  # noqa: S105 - only valid for the simulation
    monitors: int = 200
    tasks: int = 40
    speed: float = 1.0
    shape: Literal["new", "old"] = "new"
    cost: Literal["none", "supervisor"] = "none"
    calm: bool = False
    mending: bool = False
    seed: int = 1
    host: str = "127.0.0.1"
    port: int = 0
    faults: tuple[Fault, ...] = ()

    def __post_init__(self) -> None:
        if self.monitors < 0 or self.tasks < 0:
            raise ValueError("monitors and tasks are counts: 0 or more")
        if not 0 < self.speed <= _FASTEST:
            raise ValueError(f"speed is simulated seconds per second: more than 0, {_FASTEST} at most")
        if self.shape not in {"new", "old"}:
            raise ValueError(f"shape is 'new' or 'old', not {self.shape!r}")
        if self.cost not in {"none", "supervisor"}:
            raise ValueError(f"cost is 'none' or 'supervisor', not {self.cost!r}")
        if not self.organization or self.organization == self.neighbour:
            raise ValueError(f"organization needs a name, and {self.neighbour!r} is that of the second organisation")
