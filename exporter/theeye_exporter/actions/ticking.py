"""Does something again and again, whatever happens."""

import threading
from collections.abc import Callable
from typing import Final

import structlog

__all__ = ["TICK", "keep_ticking"]

TICK: float = 1.0
"""Seconds between two ticks."""

_log: Final = structlog.get_logger(__name__)


def keep_ticking(tick: Callable[[], None], ended: threading.Event) -> None:
    """Tick until the event is set. An error is logged once, until a tick succeeds: the next tick may do better."""
    failed = False
    while not ended.wait(TICK):
        try:
            tick()
            failed = False
        except Exception:  # noqa: BLE001 - for example, the machine gives us no more threads
            if not failed:
                _log.exception("internal error; the work is tried again")
            failed = True
