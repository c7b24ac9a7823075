"""Shows what the actions would decide about a payload, and what they have done; `theeye-exporter actions test` and `history`."""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn, TextIO

from theeye_exporter.actions.alert_records import AlertRecords
from theeye_exporter.actions.alert_runs import AlertRuns
from theeye_exporter.actions.alerts import BadPayloadError, read_payload
from theeye_exporter.actions.checking import print_table
from theeye_exporter.actions.loading_actions import plan_of
from theeye_exporter.actions.moments import Moments
from theeye_exporter.actions.plan import ActionPlan
from theeye_exporter.actions.records import Begun, PastRun, Said
from theeye_exporter.actions.rows import Timing
from theeye_exporter.actions.settings import ActionsSettings
from theeye_exporter.actions.state_file import StateFile, copied
from theeye_exporter.actions.store import FileStores
from theeye_exporter.actions.upstream import NoUpstream
from theeye_exporter.clocks import Clocks
from theeye_exporter.ledger.failures import LedgerError

__all__ = ["history", "try_payload"]


def try_payload(settings: ActionsSettings, path: Path, out: TextIO) -> int:
    """Print what each action would decide about each alert of a payload; nothing is sent, and nothing is kept.

    Returns:
        0, or 2 if the file has no payload of Alertmanager.
    """
    clocks = Clocks()
    try:
        payload = read_payload(path.read_bytes(), clocks.wall())
    except (OSError, BadPayloadError) as error:
        print(f"{path}: {error}", file=out)
        return 2
    plans = {one.name: plan_of(one) for one in settings.actions}
    rows: list[tuple[str, ...]] = [("action", "decision", "alert", "why")]
    with TemporaryDirectory() as folder:
        file = StateFile(Path(folder) / "state")
        # Old alerts count like new ones.
        file.write(
            [("time", "born", 0.0), *(("begun", one.name, Begun(one.organization, 0.0)) for one in plans.values())]
        )
        runs = AlertRuns(
            plans,
            stores=FileStores(file),
            connect=_nowhere,
            reach=NoUpstream,
            together=settings.rate_limit,
            clocks=clocks,
            moments=Moments(clocks),
            timing=Timing(),
        )
        for name in plans:
            rows += [(name, one.decision, one.alert, one.why) for one in runs.receive(name, payload)]
        file.close()
    print_table(rows, out)
    return 0


def history(path: Path, out: TextIO) -> int:
    """Print the last runs and decisions in a state file, which another process may use at the same time.

    Raises:
        LedgerError: The file cannot be read.
    """
    if not path.exists():
        raise LedgerError(
            f"there is no state file {path}; name the one that the process `theeye-exporter actions` uses"
        )
    with TemporaryDirectory() as folder:
        file = copied(path, Path(folder) / path.name)
        records = AlertRecords(file, 0.0)
        actions = sorted({key.partition("/")[0] for key in records.all(Said)})
        said = sorted(
            ((one.at, name, one) for name in actions for one in records.said(name)), key=lambda entry: entry[0]
        )
        runs = sorted(records.all(PastRun).values(), key=lambda run: run.ended_at)
        file.close()
    rows: list[tuple[str, ...]] = [("ended", "action", "outcome", "job", "alert", "why")]
    rows += [(_when(run.ended_at), run.action, run.outcome, run.job_id, run.labels, run.why) for run in runs]
    print_table(rows, out)
    print(file=out)
    rows = [("at", "action", "decision", "alert", "why")]
    rows += [(_when(at), name, one.decision, one.alert, one.why) for at, name, one in said]
    print_table(rows, out)
    return 0


def _nowhere(plan: ActionPlan) -> NoReturn:
    raise AssertionError(plan.name)


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
