"""A token bucket: it admits bursts, but a steady stream only at the configured rate."""

from collections.abc import Callable

from theeye_exporter.config.web_file import RateLimit

__all__ = ["TokenBucket"]


class TokenBucket:
    """Counts requests.

    Args:
        limit: the size of the bucket, and how fast it refills.
        monotonic: a clock, in seconds.
    """

    def __init__(self, limit: RateLimit, monotonic: Callable[[], float]) -> None:
        self.limit = limit
        self._monotonic = monotonic
        self._tokens = float(limit.burst)
        self._filled = monotonic()

    def take(self) -> float:
        """Take a token and return 0, or return the seconds until there is one."""
        now = self._monotonic()
        self._tokens = min(float(self.limit.burst), self._tokens + (now - self._filled) / self.limit.interval)
        self._filled = now
        if self._tokens < 1:
            return (1 - self._tokens) * self.limit.interval
        self._tokens -= 1
        return 0.0
