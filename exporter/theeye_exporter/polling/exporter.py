"""Builds the exporter from its parts, for the server, for `check` and for tests."""

import threading

from theeye_exporter.clocks import Clocks
from theeye_exporter.config import Settings
from theeye_exporter.exposition.snapshot import Publisher, SnapshotStore
from theeye_exporter.ledger.storage import Storage
from theeye_exporter.observability.digest import Digest
from theeye_exporter.polling.organization import Organization
from theeye_exporter.polling.own_segment import OwnSegment
from theeye_exporter.polling.plan import Plan
from theeye_exporter.polling.runner import CollectorRunner, Sinks
from theeye_exporter.polling.scheduler import Scheduler
from theeye_exporter.polling.state import OrganizationState
from theeye_exporter.polling.status import StatusBoard
from theeye_exporter.polling.telemetry import PUBLISHED, Telemetry

__all__ = ["Exporter"]


class Exporter:
    """Everything between TheEye and the snapshot that a scrape serves.

    Args:
        settings: the configuration.
        clocks: the clocks to use.
        is_patient: whether lists may take longer than other responses.

    Raises:
        LedgerError: the state file cannot be used.
    """

    def __init__(self, settings: Settings, clocks: Clocks | None = None, *, is_patient: bool = True) -> None:
        self.settings = settings
        self.clocks = clocks or Clocks()
        self._is_patient = is_patient
        self.store = SnapshotStore(PUBLISHED, self.clocks.monotonic)
        self.board = StatusBoard()
        self.telemetry = Telemetry(self.store)
        self._digest = Digest(self.clocks.monotonic)
        self._sinks = Sinks(self.store, self.board, self.telemetry)
        self._storage = Storage(settings.state.file) if settings.state.file is not None else None
        self._organizations: dict[str, Organization] = {}
        self._scheduler: Scheduler | None = None
        self._lock = threading.Lock()
        self._stopped = False
        self._take_over(settings, awaited=True)

    @property
    def runners(self) -> tuple[CollectorRunner, ...]:
        """The runners of all organisations; a collector comes after those that list the names it needs."""
        organizations = list(self._organizations.values())
        return tuple(runner for organization in organizations for runner in organization.runners.values())

    @property
    def uncounted(self) -> frozenset[str]:
        """Organisations whose runs are not counted, because the ledger cannot be written."""
        organizations = list(self._organizations.values())
        return frozenset(o.name for o in organizations if o.plan.keeps_ledger and not o.state.ledger.healthy)

    def start(self) -> None:
        """Start polling in the background."""
        with self._lock:
            pollings = [p for organization in self._organizations.values() for p in organization.pollings]
            self._scheduler = Scheduler(pollings, self.clocks)
            self._scheduler.start()

    def stalled_for(self) -> float | None:
        """Seconds since the last poll started if polls are overdue, otherwise None."""
        return None if self._scheduler is None else self._scheduler.stalled_for()

    def apply(self, settings: Settings) -> None:
        """Switch to another configuration without a gap in the metrics.

        An organisation without changed settings is not touched. A changed organisation keeps its counters, and shows
        its last data until there is new data or the old data is too old; the result of a poll that is still running is
        thrown away. The series of a removed organisation disappear, but the state file keeps its ledger. The sections
        `web` and `state` are ignored: `settings` still holds what was in effect at the start.

        Raises:
            LedgerError: the state file cannot be read; in this case nothing has changed.
        """
        with self._lock:
            if not self._stopped:
                self._take_over(settings, awaited=False)
                kept = {"web": self.settings.web, "state": self.settings.state}
                self.settings = settings.model_copy(update=kept)

    def changes(self, old: Settings, new: Settings) -> dict[str, int]:
        """Return how many organisations a reload has added, removed and changed, and how many there are."""
        before, after = Plan.of(old), Plan.of(new)
        return {
            "added": len(after.keys() - before.keys()),
            "removed": len(before.keys() - after.keys()),
            "changed": sum(plan != after[name] for name, plan in before.items() if name in after),
            "organizations": len(after),
        }

    def stop(self) -> None:
        """Stop polling, without waiting for running polls."""
        with self._lock:
            self._stopped = True
            if self._scheduler is not None:
                self._scheduler.stop()
            for organization in self._organizations.values():
                organization.stop()
                organization.state.ledger.close()
            if self._storage is not None:
                self._storage.close()
            self._digest.close()

    def _take_over(self, settings: Settings, *, awaited: bool) -> None:
        plans = Plan.of(settings)
        formers = self._organizations
        changed = {name: plan for name, plan in plans.items() if name not in formers or formers[name].plan != plan}
        # Everything that can fail comes before anything that cannot be undone.
        ledgers = {
            name: plan.open_ledger(self._storage)
            for name, plan in changed.items()
            if name not in formers or not (formers[name].plan.keeps_ledger and plan.keeps_ledger)
        }
        for name in formers.keys() - plans.keys():
            self._remove(formers[name])
        current = {name: organization for name, organization in formers.items() if name not in changed}
        for name, plan in changed.items():
            former = formers.get(name)
            if former is None:
                own = OwnSegment(name, self.store, self.board)
                state = OrganizationState(self._digest, plan, ledgers[name], own)
            else:
                former.stop()
                state = former.state
                moved = plan.organization.url != former.plan.organization.url
                state.replan(plan, ledgers.get(name), moved=moved)
            current[name] = Organization(plan, state, self._sinks, self.clocks, is_patient=self._is_patient)
            self._replace(former, current[name], awaited=awaited)
        # Keep the order of the configuration.
        self._organizations = {name: current[name] for name in plans}
        self.telemetry.loaded(shards=settings.shard.count, at=self.clocks.wall(), file_problems=len(settings.problems))

    def _replace(self, former: Organization | None, organization: Organization, *, awaited: bool) -> None:
        self.board.register(organization.plan.organization.url, organization.statuses, awaited=awaited)
        for name in (former.runners.keys() if former is not None else set()) - organization.runners.keys():
            self._remove_collector(organization, name)
        organization.publish_own()
        if self._scheduler is not None:
            for polling in organization.pollings:
                self._scheduler.add(polling)

    def _remove_collector(self, organization: Organization, name: str) -> None:
        if self._scheduler is not None:
            self._scheduler.remove(f"{organization.name}/{name}")
        self.store.withdraw(Publisher(organization.name, name))
        self.board.forget(organization.name, name)
        organization.state.failures.forget(name)

    def _remove(self, organization: Organization) -> None:
        organization.stop()
        organization.state.ledger.close()
        for name in organization.runners:
            self._remove_collector(organization, name)
        self.board.forget(organization.name)
        organization.state.own.withdraw()
