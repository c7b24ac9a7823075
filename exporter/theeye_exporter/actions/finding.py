"""Finds the tasks and workflows of waiting starts, for one organisation, without asking TheEye again and again."""

from collections.abc import Callable
from typing import Final, Protocol

import structlog

from theeye_exporter.actions.plan import ActionPlan
from theeye_exporter.actions.records import Order
from theeye_exporter.actions.starter import Upstream
from theeye_exporter.actions.targets import Found, TargetError
from theeye_exporter.clocks import Clocks
from theeye_exporter.theeye.errors import Reason, UpstreamError

__all__ = ["Finding", "Way"]

_log: Final = structlog.get_logger(__name__)


class Way(Protocol):
    """How an action starts something."""

    @property
    def by_secret(self) -> bool:
        """Whether starts are sent with a secret key."""

    @property
    def upstream(self) -> Upstream:
        """TheEye, as its starts need it."""

    def find(self, plan: ActionPlan, hostname: str) -> Found:
        """Return the one target; raise `UpstreamError`, or `TargetError` if there is none, or several."""


class Finding:
    """Finds targets. Use it from one thread, except for `troubles`.

    Args:
        connect: Returns an action's way to TheEye.
        clocks: The clocks to use.
        retry: Pause of an action after TheEye did not answer, in seconds.

    Attributes:
        troubles: Why TheEye could not be asked, by action.
    """

    def __init__(self, connect: Callable[[ActionPlan], Way], clocks: Clocks, retry: float) -> None:
        self.troubles: dict[str, str] = {}
        self._connect = connect
        self._monotonic = clocks.monotonic
        self._retry = retry
        self._retry_at: dict[str, float] = {}
        self._tasks: dict[tuple[str, str], str] = {}
        self._silent = False

    def begin_round(self) -> None:
        """Begin to look at all orders."""
        self._silent = False

    def retry_at(self, order: Order) -> float:
        """Return when an order may ask again; the order with the earliest time has waited longest, and comes first."""
        return self._retry_at.get(order.action, 0.0)

    def may_ask(self, order: Order) -> bool:
        """Whether an order may ask: not after a failure, and not in a round in which TheEye did not answer."""
        return not self._silent and self._monotonic() >= self.retry_at(order)

    def task_of(self, order: Order) -> str | None:
        """Return the task that an order starts, or the first of its workflow; None if TheEye has not named it yet."""
        return self._tasks.get((order.action, order.hostname))

    def find(self, plan: ActionPlan, order: Order) -> Found | None:
        """Return the target of an order; None if TheEye could not be asked.

        Raises:
            TargetError: There is none, or there are several, or the order has no host, as it is older than `hostname_from`.
        """
        if plan.hostname_from is not None and not order.hostname:
            raise TargetError("hostname_from was added after this start was decided, so the start has no host")
        try:
            found = self._connect(plan).find(plan, order.hostname)
        except UpstreamError as error:
            self._failed(plan, error)
            return None
        except TargetError:
            self._answered(plan)
            raise
        self._answered(plan)
        self._tasks[order.action, order.hostname] = found.target.task_id
        return found

    def _failed(self, plan: ActionPlan, error: UpstreamError) -> None:
        self._retry_at[plan.name] = self._monotonic() + self._retry
        self._silent = error.reason.concerns_everything or error.reason is Reason.TIMEOUT
        if plan.name not in self.troubles and error.detail not in self.troubles.values():
            labels = {"organization": plan.organization, "action": plan.name}
            _log.warning(
                "starts have to wait: requests to TheEye fail", **labels, error=error.detail, advice=error.reason.advice
            )
        self.troubles[plan.name] = error.detail

    def _answered(self, plan: ActionPlan) -> None:
        self._retry_at.pop(plan.name, None)
        if self.troubles.pop(plan.name, None) is not None:
            _log.info("requests to TheEye succeed again", organization=plan.organization, action=plan.name)
