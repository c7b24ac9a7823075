"""One organisation's parts: its client, its collectors and their runners."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any, Final, final

import structlog

from theeye_exporter.clocks import Clocks
from theeye_exporter.collectors.base import CollectorKind, Context
from theeye_exporter.collectors.settings import CollectorSettings
from theeye_exporter.polling.connecting import token_source, transport_settings
from theeye_exporter.polling.plan import Plan
from theeye_exporter.polling.runner import CollectorRunner, Sinks
from theeye_exporter.polling.scheduler import Polling
from theeye_exporter.polling.state import OrganizationState
from theeye_exporter.polling.status import CollectorStatus
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.memory import Room
from theeye_exporter.theeye.transport import Transport

__all__ = ["Organization"]

_LIST_TIMEOUT: Final = 300.0
"""Seconds: a supervisor takes minutes to list ten thousand tasks."""

_log: Final = structlog.get_logger(__name__)


@final
class Organization:
    """Polls one organisation according to one plan.

    Args:
        plan: its settings.
        state: what is remembered about the organisation.
        sinks: where results go.
        clocks: the clocks to use.
        is_patient: whether lists may take longer than other responses.
    """

    def __init__(
        self, plan: Plan, state: OrganizationState, sinks: Sinks, clocks: Clocks, *, is_patient: bool = True
    ) -> None:
        self.plan = plan
        self.state = state
        self.name = plan.organization.name
        self.client = TheEyeClient(self._transport(sinks, clocks, _LIST_TIMEOUT if is_patient else 0), self.name)
        self.runners: dict[str, CollectorRunner] = {
            kind.name: self._runner(kind, settings, sinks, clocks) for kind, settings in plan.collectors
        }

    @property
    def pollings(self) -> tuple[Polling, ...]:
        """The pollings of its collectors; a collector comes after those that list the names it needs."""
        return tuple(
            Polling(
                f"{self.name}/{kind.name}",
                settings.interval,
                runner.run,
                organization=self.name,
                # Changes of jobs must not wait until a long list is complete.
                lane=f"{self.name}/changes" if kind.keeps_ledger else f"{self.name}/lists",
                probe=self.probe,
                give_up=runner.give_up,
                unrepeated=runner.unrepeated,
                is_ready=partial(self._are_listed, kind.needs),
            )
            for kind, settings in self.plan.collectors
            for runner in (self.runners[kind.name],)
        )

    @property
    def statuses(self) -> tuple[CollectorStatus, ...]:
        """The collectors for the status board."""
        return tuple(
            CollectorStatus(
                organization=self.name,
                collector=kind.name,
                title=kind.title,
                interval=settings.interval,
                max_age=settings.max_age,
            )
            for kind, settings in self.plan.collectors
        )

    def publish_own(self) -> None:
        """Publish the exporter's current metrics of the organisation; there are none without collectors."""
        if self.runners:
            self.state.own.publish(self.state.ledger if self.plan.keeps_ledger else None)
        else:
            self.state.own.withdraw()

    def probe(self) -> bool:
        """Make a small request, and return whether it got no answer; then all collectors have failed.

        Never raises.
        """
        before = self.client.responses
        try:
            self.client.probe()
        except UpstreamError as error:
            if not error.timed_out or self.client.responses != before:
                return False
            reason = Reason.SILENT if error.reason is Reason.TIMEOUT else error.reason
            for runner in self.runners.values():
                runner.fail(UpstreamError(reason, error.detail))
            return True
        except Exception:  # noqa: BLE001 - the lists will show what is wrong
            _log.exception("internal error while checking whether TheEye responds", organization=self.name)
        return False

    def _are_listed(self, kinds: Iterable[CollectorKind[Any]]) -> bool:
        return all(self.state.of(kind).names.attempted for kind in kinds)

    def stop(self) -> None:
        """Discard running attempts and start no further requests; this does not wait for anything."""
        for runner in self.runners.values():
            runner.stop()
        self.client.close()

    def _runner(
        self, kind: CollectorKind[Any], settings: CollectorSettings, sinks: Sinks, clocks: Clocks
    ) -> CollectorRunner:
        state = self.state.of(kind)
        memory = state.memory.copy() if state.memory is not None else kind.memory and kind.memory()
        room = Room(self.plan.limits.max_response_bytes)
        context = Context(
            organization=self.name,
            settings=settings,
            tags=self.plan.labels.tags,
            timeout=self.plan.organization.timeout,
            clocks=clocks,
            names={needed.name: self.state.of(needed).names for needed in kind.needs},
            ledger=self.state.ledger,
            room=room,
            memory=memory,
        )
        return CollectorRunner(
            kind,
            partial(kind.make, context),
            self.client,
            interval=settings.interval,
            max_age=settings.max_age,
            max_series=self.plan.limits.max_series_per_family,
            room=room,
            sinks=sinks,
            state=state,
            failures=self.state.failures,
            clocks=clocks,
            ended=self.publish_own,
            memory=memory,
        )

    def _transport(self, sinks: Sinks, clocks: Clocks, list_timeout: float) -> Transport:
        organization = self.plan.organization

        def observe(endpoint: str, status: str, seconds: float, size: int) -> None:
            self.state.own.count_request(endpoint, status, size)
            sinks.telemetry.requested(endpoint, seconds)

        return Transport(
            replace(
                transport_settings(organization, self.plan.limits.max_response_bytes),
                list_timeout=list_timeout,
            ),
            token_source(organization),
            observe,
            wall=clocks.wall,
        )
