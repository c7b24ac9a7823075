"""What many starts that wait for the same limit cost."""

import time
from dataclasses import replace
from pathlib import Path

from actions.alerting import FREE, PLAN, World
from theeye_exporter.actions.alerts import Payload, ReceivedAlert, identity
from theeye_exporter.actions.episodes import Message
from theeye_exporter.actions.limits import Rate
from theeye_exporter.actions.records import Order, PastRun

PAST = PastRun(action="restart", alert="", labels="", episode=0.0, sent_at=0.0, ended_at=0.0, outcome="success")


def seconds_of_a_look(folder: Path, waiting: int) -> float:
    """Return the CPU time of a look at so many starts that wait for the run of another one."""
    folder.mkdir()
    world = World(folder, replace(PLAN, limits=replace(FREE, max_concurrent=1)))
    world.model.wait(60.0)
    firing = Message(firing=True, start=world.model.now)
    every = [{"alertname": "Down", "instance": f"web-{number}"} for number in range(waiting + 1)]
    world.runs.receive("restart", Payload(tuple(ReceivedAlert(one, firing, identity(one)) for one in every)))
    world.live(3.0, pause=1.0, bot=False)
    assert len(world.model.created) == 1
    assert len(world.runs.records.all(Order)) == waiting + 1
    began = time.process_time()
    world.runs.work()
    took = time.process_time() - began
    world.close()
    return took


def seconds_of_a_look_at_cooldowns(folder: Path, waiting: int) -> float:
    """Return the CPU time of a look at so many starts whose alerts have just had a run."""
    folder.mkdir()
    world = World(
        folder,
        replace(PLAN, limits=replace(FREE, cooldown=36_000.0, max_concurrent=10_000, rate=Rate(10_000))),
        together=Rate(10_000),
    )
    world.model.wait(60.0)
    every = [{"alertname": "Down", "instance": f"web-{number}"} for number in range(waiting)]

    def send(message: Message) -> None:
        world.runs.receive("restart", Payload(tuple(ReceivedAlert(one, message, identity(one)) for one in every)))

    now = world.model.now
    with world.runs.records.draft() as draft:
        for number, one in enumerate(every):
            draft.put(f"past-{number}", replace(PAST, alert=identity(one), sent_at=now, ended_at=now))
    send(Message(firing=True, start=now + 1.0))
    assert len(world.runs.records.all(Order)) == waiting
    world.runs.work()
    began = time.process_time()
    world.runs.work()
    took = time.process_time() - began
    assert world.model.created == []
    world.close()
    return took


def test_ten_times_as_many_cooldowns_do_not_cost_a_hundred_times_as_much(tmp_path: Path) -> None:
    few = min(seconds_of_a_look_at_cooldowns(tmp_path / f"few-{number}", 80) for number in range(3))
    assert seconds_of_a_look_at_cooldowns(tmp_path / "many", 800) < 35 * few


def test_ten_times_as_many_do_not_cost_a_hundred_times_as_much(tmp_path: Path) -> None:
    few = min(seconds_of_a_look(tmp_path / f"few-{number}", 80) for number in range(3))
    assert seconds_of_a_look(tmp_path / "many", 800) < 35 * few
