"""A start has at most one run, whatever is lost, late or killed, and every start ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actions.model import Died, Model, ModelUpstream, Mortal, MortalStore
from theeye_exporter.actions.rows import Before, Look, Own, Phase, Row, Target, Timing, looked
from theeye_exporter.actions.starter import Starter
from theeye_exporter.actions.state_file import StateFile
from theeye_exporter.actions.store import FileStore, MemoryStore, Store
from theeye_exporter.theeye.lifecycle import Outcome
from theeye_exporter.theeye.run_models import RunJob

TIMING = Timing()
ANSWERS = ("ok", "lost", "dropped", "late", "refused", "nothing", "broken")

behaviours = st.lists(
    st.tuples(st.sampled_from(ANSWERS), st.floats(min_value=0.5, max_value=TIMING.settle - 60)), max_size=8
)
steps = st.lists(
    st.one_of(
        st.just(("work", None)),
        st.tuples(st.just("wait"), st.floats(min_value=0.1, max_value=400)),
        st.tuples(st.just("other"), st.sampled_from(("task-a", "task-b"))),
        st.tuples(st.just("down"), st.booleans()),
        st.tuples(st.just("user"), st.sampled_from(("us", "we"))),
        st.just(("finish", None)),
    ),
    max_size=40,
)
starts = st.lists(st.tuples(st.sampled_from(("task-a", "task-b")), st.booleans()), min_size=1, max_size=5)


class Memory:
    """A store that survives the process; the process of a test does not really die."""

    def __init__(self) -> None:
        self._store = MemoryStore()

    def open(self) -> Store:
        return self._store

    def close(self) -> None:
        pass


class Disk:
    """A store in a file, which is opened again after each death."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "state"
        self._file: StateFile | None = None

    def open(self) -> Store:
        self.close()
        self._file = StateFile(self._path)
        return FileStore(self._file, "acme")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


@contextmanager
def a_place(kind: str) -> Iterator[Memory | Disk]:
    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:  # noqa: S108 - fast
        place = Memory() if kind == "memory" else Disk(Path(folder))
        try:
            yield place
        finally:
            place.close()


def history(
    place: Memory | Disk,
    chosen: list[tuple[str, bool]],
    answers: list[tuple[str, float]],
    events: list[tuple[str, Any]],
    deaths: set[int],
) -> tuple[Model, dict[str, Row]]:
    """Return the world and the rows after a history, once TheEye works again and time has passed."""
    model, mortal = Model(), Mortal(deaths)
    rows = [
        Row(id=f"row-{index}", target=Target("task", task, task), arguments=((0, f"row-{index}"),), by_secret=secret)
        for index, (task, secret) in enumerate(chosen)
    ]
    store = MortalStore(place.open(), mortal, rows)
    upstream = ModelUpstream(model, mortal, chain(answers, repeat(("ok", 0.0))))
    upstream.keyed = {row.id: row.by_secret for row in rows}
    starter = Starter(upstream, store, lambda: model.now, TIMING)
    for what, value in chain(events, [("down", False)], [("work", None), ("wait", 15.0), ("finish", None)] * 600):
        if what == "wait":
            model.wait(value)
        elif what == "other":
            model.create(value, "another", by_secret=False, user="another")
        elif what == "down":
            model.down = value
        elif what == "user":
            upstream.user = value
        elif what == "finish":
            model.finish_all()
        else:
            try:
                starter.work()
            except Died:
                store.store = place.open()
                starter = Starter(upstream, store, lambda: model.now, TIMING)
            if not store.open_rows():
                break
    return model, store.last


@pytest.mark.parametrize("kind", ["memory", "disk"])
@settings(max_examples=100)
@given(chosen=starts, answers=behaviours, events=steps, deaths=st.sets(st.integers(1, 120), max_size=6))
def test_at_most_one_run_a_start_and_none_forgotten(
    kind: str,
    chosen: list[tuple[str, bool]],
    answers: list[tuple[str, float]],
    events: list[tuple[str, Any]],
    deaths: set[int],
) -> None:
    with a_place(kind) as place:
        model, rows = history(place, chosen, answers, events, deaths)
    for row in rows.values():
        runs = model.created.count(row.id)
        assert runs <= 1
        assert row.phase.over
        if row.phase is Phase.ENDED:
            assert runs == 1
            assert model.created[int(row.job_id, 16)] == row.id
        if row.phase is Phase.REFUSED and "build" not in row.why:
            assert runs == 0


@pytest.mark.parametrize("death", range(1, 16))
@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_dead_at_every_point(kind: str, answer: str, death: int) -> None:
    with a_place(kind) as place:
        model, rows = history(place, [("task-a", False), ("task-a", False)], [(answer, 30.0)], [], {death})
    for row in rows.values():
        assert model.created.count(row.id) <= 1
        assert row.phase in {Phase.ENDED, Phase.REFUSED, Phase.LOST}
    if answer not in {"refused", "broken"}:
        # Both are known in the end: nobody else used the task, and TheEye was up.
        assert [row.phase for row in rows.values()] == [Phase.ENDED, Phase.ENDED]


def test_the_next_start_of_a_task_waits_for_the_one_whose_answer_is_lost() -> None:
    model, mortal = Model(), Mortal(set())
    rows = [Row(id=name, target=Target("task", "t", "t"), arguments=((0, name),)) for name in ("first", "second")]
    upstream = ModelUpstream(model, mortal, chain([("late", 300.0)], repeat(("ok", 0.0))))
    upstream.keyed = {"first": False, "second": False}
    store = MortalStore(MemoryStore(), mortal, rows)
    starter = Starter(upstream, store, lambda: model.now, TIMING)
    starter.work()
    assert [store.last[name].phase for name in ("first", "second")] == [Phase.SENDING, Phase.DECIDED]
    for _ in range(40):
        model.wait(10.0)
        starter.work()
    assert model.created == ["first", "second"]


SENT = Row(
    id="r",
    target=Target("task", "t", "t"),
    phase=Phase.SENDING,
    before=Before(0.0, 7.0, 5),
    sent_at=0.0,
    answered=600.0,
)


def job(number: int, user: str = "another", **fields: Any) -> RunJob:
    return RunJob(id=f"{number:024x}", user_id=user, origin="user", lifecycle="ready", **fields)


@pytest.mark.parametrize(
    ("executions", "jobs", "phase"),
    [
        (7, [], Phase.DECIDED),
        (8, [job(1)], Phase.DECIDED),
        (7, [job(1)], Phase.DECIDED),
        (8, [], Phase.LOST),  # a run that is not listed: ours may have ended and been deleted
        (9, [job(1)], Phase.LOST),
        (6, [], Phase.LOST),  # the count was reset
        (None, [], Phase.LOST),
        (12, [job(number) for number in range(5)], Phase.LOST),  # as many as are kept: ours may be one more
    ],
)
def test_count_and_list_decide_after_long_enough(executions: float | None, jobs: list[RunJob], phase: Phase) -> None:
    assert looked(SENT, Look(executions, jobs), Own((), "us"), 700.0, TIMING).phase is phase


def test_without_a_user_only_a_single_job_with_our_arguments_is_ours() -> None:
    row = Row(**{name: getattr(SENT, name) for name in SENT.__dataclass_fields__} | {"arguments": ((0, "A"), (2, 5))})
    ours = job(1, task_arguments_values=["A", "FIX", "5"])
    assert looked(row, Look(8, [ours]), Own(), 1.0, TIMING).job_id == ours.id
    assert looked(row, Look(9, [ours, job(2)]), Own(), 1.0, TIMING).phase is Phase.LOST
    assert looked(row, Look(8, [job(1, task_arguments_values=["B"])]), Own(), 1.0, TIMING).phase is Phase.LOST
    assert looked(row, Look(8, [ours]), Own({ours.id}), 1.0, TIMING).phase is Phase.DECIDED


@pytest.mark.parametrize("by_secret", [False, True])
def test_without_a_user_and_arguments_no_job_is_ours(by_secret: bool) -> None:
    row = replace(SENT, by_secret=by_secret)
    fresh = RunJob(id=f"{1:024x}", origin="secret" if by_secret else "user", task_arguments_values=[])
    early = looked(replace(row, answered=0.0), Look(8, [fresh]), Own(), 1.0, TIMING)
    assert (early.phase, early.job_id) == (Phase.SENDING, "")
    late = looked(row, Look(8, [fresh]), Own(), 700.0, TIMING)
    assert (late.phase, late.job_id) == (Phase.LOST, "")
    assert looked(row, Look(7, []), Own(), 700.0, TIMING).phase is Phase.DECIDED


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_the_user_of_a_token_is_known_as_long_as_a_start_needs_it(kind: str) -> None:
    with a_place(kind) as place:
        store = place.open()
        assert store.user_id("") is None
        store.learn_user_id("first", "us")
        waits = Row(id="r", target=Target("task", "t", "t"), phase=Phase.SENDING, token_mark="first")
        store.save(waits)
        for mark, user in (("second", "we"), ("third", "we")):
            store.learn_user_id(mark, user)
        for opened in (store, place.open()):
            assert [opened.user_id(mark) for mark in ("", "first", "second", "third")] == [None, "us", None, "we"]


def test_time_in_which_theeye_does_not_answer_does_not_count() -> None:
    model, mortal = Model(), Mortal(set())
    row = Row(id="r", target=Target("task", "t", "t"), arguments=((0, "r"),))
    store = MortalStore(MemoryStore(), mortal, [row])
    upstream = ModelUpstream(model, mortal, iter([("dropped", 0.0)]))
    upstream.keyed = {"r": False}
    starter = Starter(upstream, store, lambda: model.now, TIMING)
    starter.work()
    model.down = True
    for _ in range(400):
        model.wait(15.0)
        starter.work()
    assert (store.last["r"].phase, store.last["r"].answered) == (Phase.SENDING, 0.0)
    for _ in range(6000):
        model.wait(15.0)
        starter.work()
    assert store.last["r"].phase is Phase.LOST  # a day later


def test_a_deleted_job_ended_in_an_unknown_way() -> None:
    model, mortal = Model(), Mortal(set())
    row = Row(id="r", target=Target("task", "t", "t"), arguments=((0, "r"),))
    store = MortalStore(MemoryStore(), mortal, [row])
    upstream = ModelUpstream(model, mortal, iter([("ok", 0.0)]))
    upstream.keyed = {"r": False}
    starter = Starter(upstream, store, lambda: model.now, TIMING)
    starter.work()
    model.tasks["t"].jobs.clear()
    starter.work()
    assert (store.last["r"].phase, store.last["r"].outcome) == (Phase.ENDED, Outcome.UNKNOWN)


def test_a_job_that_cannot_be_read_does_not_keep_us_from_the_next() -> None:
    model, mortal = Model(), Mortal(set())
    rows = [Row(id=name, target=Target("task", name, name), arguments=((0, name),)) for name in ("hidden", "seen")]
    upstream = ModelUpstream(model, mortal, repeat(("ok", 0.0)))
    upstream.keyed = {"hidden": False, "seen": False}
    store = MortalStore(MemoryStore(), mortal, rows)
    starter = Starter(upstream, store, lambda: model.now, TIMING)
    starter.work()
    model.finish_all()
    upstream.hidden = {store.last["hidden"].job_id}
    starter.work()
    assert [store.last[name].phase for name in ("hidden", "seen")] == [Phase.STARTED, Phase.ENDED]
