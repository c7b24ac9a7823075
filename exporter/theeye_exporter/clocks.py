"""The clocks of a process, to be handed in where time matters."""

import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Clocks"]


@dataclass(frozen=True, slots=True)
class Clocks:
    """Clocks in seconds.

    Attributes:
        wall: Unix time.
        monotonic: for ages and durations.
    """

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
