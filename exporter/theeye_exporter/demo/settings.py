"""What a simulated TheEye is like: its size, its age, its pace and its faults."""

from dataclasses import dataclass
from typing import Literal

from theeye_exporter.demo.faults import Fault

__all__ = ["DemoSettings"]

_FASTEST = 1000
"""Beyond this, simulating takes longer than the time that passes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSettings:
    """The size, age and pace of a simulated TheEye.

    Attributes:
        organization: Name of the one organisation whose objects are served.
        token: An integration token: it sees everything of the organisation.
        agent_token: A bot's token: listing jobs with it takes them off the queue.
        viewer_token: A token that is accepted and sees no object.
        neighbour: A second organisation that exists; the tokens do not belong to it.
        monitors: Number of monitors at the start.
        tasks: Number of tasks at the start.
        speed: Simulated seconds for each second of the clock.
        shape: `new` is the API of servers since 2.0.0. `old` is the API before: monitors only at `/{customer}/monitor`
            with the state nested in `resource`; the job list ignores where, sort and limit and carries each result.
        calm: Nothing goes wrong by itself: no monitor fails, no bot falls silent, every job succeeds.
        seed: Two worlds with the same settings and the same clock are equal.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        faults: Faults that are on from the start.
    """

    organization: str = "demo"
    token: str = "demo-integration-token"  # noqa: S105 - opens nothing but the simulation
    agent_token: str = "demo-agent-token"  # noqa: S105 - opens nothing but the simulation
    viewer_token: str = "demo-viewer-token"  # noqa: S105 - opens nothing but the simulation
    neighbour: str = "neighbour"
    monitors: int = 200
    tasks: int = 40
    speed: float = 1.0
    shape: Literal["new", "old"] = "new"
    calm: bool = False
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
        if not self.organization or self.organization == self.neighbour:
            raise ValueError(f"organization needs a name that is not the neighbour's ({self.neighbour!r})")
