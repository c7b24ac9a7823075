"""The clocks of a process, passed in wherever time matters."""

import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Clocks"]


@dataclass(frozen=True, slots=True)
class Clocks:
    """Clocks in seconds.

    Attributes:
        wall: Unix time.
        monotonic: a clock for ages and durations.
    """

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
