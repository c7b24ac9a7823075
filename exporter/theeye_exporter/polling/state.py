"""What the exporter remembers about an organisation while it is configured."""

from collections import Counter
from typing import Any

from theeye_exporter.collectors.base import CollectorKind, Memory
from theeye_exporter.collectors.doubt import Doubt
from theeye_exporter.collectors.name_index import NameIndex
from theeye_exporter.collectors.registry import COLLECTORS
from theeye_exporter.ledger.run_ledger import RunLedger
from theeye_exporter.observability.digest import Digest
from theeye_exporter.observability.failure_log import FailureLog
from theeye_exporter.polling.own_segment import OwnSegment
from theeye_exporter.polling.plan import Plan
from theeye_exporter.theeye.errors import Reason, UpstreamError

__all__ = ["CollectorState", "EmptyListGuard", "OrganizationState"]


class EmptyListGuard:
    """Rejects a list without a valid object, and doubts an empty one where there were objects before."""

    def __init__(self) -> None:
        self._had_objects = False
        self._doubt = Doubt()

    def check(self, objects: int, skipped: Counter[str]) -> None:
        """Raise `UpstreamError` if a list with this many objects and this many skipped ones cannot be trusted."""
        if not objects and skipped["other_organization"]:
            raise UpstreamError(Reason.ORGANIZATION_CONFLICT, "TheEye lists only objects of another organisation")
        if not objects and skipped.total():
            raise UpstreamError(Reason.INVALID_RESPONSE, "TheEye lists no valid object")
        self._doubt.check(
            suspect=self._had_objects and not objects, detail="TheEye's list is empty, but had objects before"
        )
        self._had_objects = bool(objects)


class CollectorState:
    """What is kept from one attempt of a collector to the next.

    Attributes:
        guard: rejects sudden empty lists.
        names: names of the objects in its last list, for other collectors.
        not_before: monotonic time, in seconds, before which TheEye asked not to be polled.
        memory: a copy of what the collector itself remembered at the end of its last attempt.
    """

    def __init__(self) -> None:
        self.names = NameIndex()
        self.forget()

    def forget(self) -> None:
        """Start again from nothing; list versions keep growing, so that a new list is never mistaken for an old one."""
        self.guard = EmptyListGuard()
        self.names.expect(expected=False)
        self.not_before = 0.0
        self.memory: Memory | None = None


class OrganizationState:
    """What is remembered about an organisation across plans.

    The parts of the current plan share it. Only runners and the ledger write to it, each under its own lock. Once their
    plan has been replaced, they write nothing more, so a poll that is still running then leaves no trace.

    Args:
        digest: logs what happens to many organisations.
        plan: the current plan.
        ledger: the organisation's ledger.
        own: the exporter's own metrics of the organisation.
    """

    def __init__(self, digest: Digest, plan: Plan, ledger: RunLedger, own: OwnSegment) -> None:
        self.own = own
        self.failures = FailureLog(plan.organization.name, digest)
        self.ledger = ledger
        self._collectors = {kind.name: CollectorState() for kind in COLLECTORS}
        self._begin(plan)

    def of(self, kind: CollectorKind[Any]) -> CollectorState:
        """Return the state of one kind of collector."""
        return self._collectors[kind.name]

    def replan(self, plan: Plan, ledger: RunLedger | None, *, moved: bool) -> None:
        """Switch to another plan, once the runners of the old one are stopped.

        Args:
            plan: the plan in effect from now on.
            ledger: a ledger to replace the current one; None to keep it.
            moved: whether TheEye has another address.
        """
        if ledger is None:
            self.ledger = self.ledger.successor(plan.bounds)
        else:
            self.ledger.close()
            self.ledger = ledger
        if moved:
            for state in self._collectors.values():
                state.not_before = 0.0
        self._begin(plan)

    def _begin(self, plan: Plan) -> None:
        polled = {kind.name for kind, _ in plan.collectors}
        for name, state in self._collectors.items():
            if name in polled:
                state.names.expect(expected=True)
            else:
                state.forget()
