"""Builds the exporter out of its parts, for whoever runs it: the server, `check` or a test."""

import threading

from theeye_exporter.clocks import Clocks
from theeye_exporter.collectors.runner import CollectorRunner, Sinks
from theeye_exporter.config import Settings
from theeye_exporter.exposition.snapshot import Publisher, SnapshotStore
from theeye_exporter.ledger.storage import Storage
from theeye_exporter.organization import Organization, Plan
from theeye_exporter.scheduler import Scheduler
from theeye_exporter.status import StatusBoard
from theeye_exporter.telemetry import Telemetry

__all__ = ["Exporter"]


class Exporter:
    """Everything between TheEye and the snapshot that a scrape serves.

    Args:
        settings: the configuration.
        clocks: what time it is.

    Raises:
        LedgerError: the state file cannot be used.
    """

    def __init__(self, settings: Settings, clocks: Clocks | None = None) -> None:
        self.settings = settings
        self.clocks = clocks or Clocks()
        self.store = SnapshotStore(self.clocks.monotonic)
        self.board = StatusBoard()
        self.telemetry = Telemetry(self.board, self.store)
        self._sinks = Sinks(self.store, self.board, self.telemetry)
        self._storage = Storage(settings.state.file) if settings.state.file is not None else None
        self._organizations: dict[str, Organization] = {}
        self._scheduler: Scheduler | None = None
        self._lock = threading.Lock()
        self._stopped = False
        self._take_over(settings, awaited=True)

    @property
    def runners(self) -> tuple[CollectorRunner, ...]:
        """Every organisation's collectors; an organisation's tasks and workflows come before its jobs."""
        organizations = list(self._organizations.values())
        return tuple(runner for organization in organizations for runner in organization.runners.values())

    def start(self) -> None:
        """Begin to poll in the background."""
        with self._lock:
            pollings = [p for organization in self._organizations.values() for p in organization.pollings]
            self._scheduler = Scheduler(pollings, self.clocks)
            self._scheduler.start()

    def apply(self, settings: Settings) -> None:
        """Go on with another configuration, without a gap.

        An organisation of which no setting changed is not touched. One that did change shows its last data until there
        is new data or it is too old, and counts on; what a poll of it brings that is under way is thrown away. One that
        is gone is gone with all of its series, but for what the state file has of it. What `web` and `state` say is not
        looked at: `settings` goes on to say what was in effect from the start.

        Raises:
            LedgerError: the state file cannot be read; nothing has changed then.
        """
        with self._lock:
            if not self._stopped:
                self._take_over(settings, awaited=False)
                kept = {"web": self.settings.web, "state": self.settings.state}
                self.settings = settings.model_copy(update=kept)

    def stop(self) -> None:
        """Stop polling; a poll under way is not waited for."""
        with self._lock:
            self._stopped = True
            if self._scheduler is not None:
                self._scheduler.stop()
            for organization in self._organizations.values():
                organization.stop()
            if self._storage is not None:
                self._storage.close()

    def _take_over(self, settings: Settings, *, awaited: bool) -> None:
        plans = Plan.of(settings)
        formers = self._organizations
        changed = {name: plan for name, plan in plans.items() if name not in formers or formers[name].plan != plan}
        # All that can fail comes before all that cannot be undone.
        books = {
            name: plan.open_book(self._storage)
            for name, plan in changed.items()
            if name not in formers or not (formers[name].plan.keeps_ledger and plan.keeps_ledger)
        }
        for name in formers.keys() - plans.keys():
            self._remove(formers[name])
        current = {name: organization for name, organization in formers.items() if name not in changed}
        for name, plan in changed.items():
            former = formers.get(name)
            current[name] = Organization(
                plan, self._sinks, self.clocks, book=books.get(name), storage=self._storage, former=former
            )
            self._replace(former, current[name], awaited=awaited)
        # In the order of the configuration.
        self._organizations = {name: current[name] for name in plans}
        self.telemetry.loaded(shards=settings.shard.count, at=self.clocks.wall())

    def _replace(self, former: Organization | None, organization: Organization, *, awaited: bool) -> None:
        self.board.register(organization.plan.organization.url, organization.statuses, awaited=awaited)
        for name in (former.runners.keys() if former is not None else set()) - organization.runners.keys():
            self._remove_collector(organization, name)
        if organization.plan.keeps_ledger:
            self.telemetry.watch(organization.name, organization.book)
        else:
            self.telemetry.unwatch(organization.name)
        if self._scheduler is not None:
            for polling in organization.pollings:
                self._scheduler.add(polling)

    def _remove_collector(self, organization: Organization, name: str) -> None:
        if self._scheduler is not None:
            self._scheduler.remove(f"{organization.name}/{name}")
        self.store.withdraw(Publisher(organization.name, name))
        self.board.forget(organization.name, name)
        self.telemetry.forget(organization.name, name)
        organization.failures.forget(name)

    def _remove(self, organization: Organization) -> None:
        organization.stop()
        for name in organization.runners:
            self._remove_collector(organization, name)
        self.board.forget(organization.name)
        self.telemetry.forget(organization.name)
