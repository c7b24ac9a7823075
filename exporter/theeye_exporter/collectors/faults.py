"""Leaves out objects that make a collector fail because of a bug, and logs what a bug report needs."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec
import structlog

from theeye_exporter import __version__
from theeye_exporter.observability.throttle import LogThrottle
from theeye_exporter.theeye.decode import Identified
from theeye_exporter.theeye.errors import Reason, UpstreamError

__all__ = ["FAULT", "Faults", "shape"]

T = TypeVar("T", bound=Identified)
R = TypeVar("R")

FAULT: Final = "internal"
"""The `reason` label of objects that are skipped because of a bug."""

_SHAPE_LIMIT: Final = 1000

_log: Final = structlog.get_logger(__name__)


class Faults:
    """Leaves out the objects that a collector fails at, and logs them: at once, then less and less often.

    Args:
        organization: the organisation's name.
        collector: the collector's name.
        monotonic: a clock, in seconds.
    """

    def __init__(self, organization: str, collector: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._organization = organization
        self._collector = collector
        self._monotonic = monotonic
        self._repetition = LogThrottle()

    def make(self, items: Sequence[T], make: Callable[[Sequence[T]], R]) -> tuple[R, int]:
        """Call `make` with the objects, without those that it fails at.

        Args:
            items: the objects.
            make: takes any of the objects. It may be called several times; only the last call counts.

        Returns:
            The result of `make`, and how many objects were left out.

        Raises:
            Exception: what `make` raises if no single object causes it, and any `UpstreamError` or `MemoryError`.
        """
        try:
            return make(items), 0
        except (UpstreamError, MemoryError):
            raise
        except Exception:  # noqa: BLE001 - find out which objects cause it
            sound = self.sift(items, make)
        return make(sound), len(items) - len(sound)

    def sift(self, items: Sequence[T], probe: Callable[[Sequence[T]], object]) -> Sequence[T]:
        """Return the objects for which `probe` does not raise, alone or with others; log the other objects."""
        try:
            probe(items)
        except (UpstreamError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - a bug with one object must not affect the others
            if len(items) > 1:
                middle = len(items) // 2
                return [*self.sift(items[:middle], probe), *self.sift(items[middle:], probe)]
            for item in items:
                self.tell(item.id, item, error)
            return []
        return items

    def tell(self, object_id: str, item: object, error: Exception) -> None:
        """Log that an object was left out; show its structure but not its content."""
        suppressed = self._repetition.allow(self._monotonic())
        if suppressed is None:
            return
        _log.error(
            "object skipped",
            organization=self._organization,
            collector=self._collector,
            id=object_id,
            shape=shape(item),
            version=__version__,
            advice=Reason.INTERNAL.advice,
            exc_info=error,
            **({"suppressed": suppressed} if suppressed else {}),
        )


def shape(value: Any) -> str:
    """Return the fields of a struct with the types and sizes of their values, but not the values themselves."""
    return " ".join(_shapes("", value))[:_SHAPE_LIMIT]


def _shapes(path: str, value: Any) -> list[str]:
    if isinstance(value, msgspec.Struct):
        fields = [(f"{path}.{name}" if path else name, getattr(value, name)) for name in value.__struct_fields__]
        return [line for name, inner in fields if inner is not None for line in _shapes(name, inner)]
    if isinstance(value, int) and not isinstance(value, bool):
        return [f"{path}=int({value.bit_length()} bits)"]
    size = f"({len(value)})" if isinstance(value, str | list | dict | msgspec.Raw) else ""
    return [f"{path}={type(value).__name__}{size}"]
