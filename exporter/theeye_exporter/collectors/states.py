"""The states of monitors and of indicators: TheEye gives both of them the same ones."""

from typing import Final

__all__ = ["STATES", "position_of"]

STATES: Final = ("normal", "failure", "updates_stopped", "unknown")
"""Values of the label `state`; `unknown` stands for any other state."""

_POSITIONS: Final = {state: position for position, state in enumerate(STATES)}
_UNKNOWN: Final = _POSITIONS["unknown"]


def position_of(state: object) -> int:
    """Return the position of a state in `STATES`; of anything else, that of `unknown`."""
    return _POSITIONS.get(state, _UNKNOWN) if isinstance(state, str) else _UNKNOWN
