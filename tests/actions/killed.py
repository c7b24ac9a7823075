"""Kills a process at each step of a start, and says what TheEye ran: `python -m actions.killed FOLDER ANSWER STEPS TIMES SEED`.

Each life is a process of its own that ends by a real kill -9; the model of TheEye outlives it in a file. The first time at a step
is always the same; the others differ in what comes late, in the pauses, and in the further kills.
"""

import json
import os
import pickle
import random
import signal
import sys
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from actions.model import Model, ModelUpstream, Mortal, MortalStore
from theeye_exporter.actions.rows import Row, Target, Timing
from theeye_exporter.actions.starter import Starter
from theeye_exporter.actions.state_file import StateFile
from theeye_exporter.actions.store import FileStore


@dataclass(frozen=True, slots=True)
class Fate:
    """What happens to a process.

    Attributes:
        deaths: At which step of which life it is killed; the last life has none.
        late: After how many seconds TheEye does what comes late.
        pause: Seconds between two looks at what is due.
    """

    deaths: tuple[int, ...]
    late: float = 30.0
    pause: float = 15.0


class Killed(Mortal):
    """Writes the world down at each step, and kills the process for real at one of them."""

    def __init__(self, death: int, world: Path, model: Model) -> None:
        super().__init__(set())
        self._death = death
        self._world = world
        self._model = model

    def step(self) -> None:
        super().step()
        self._world.write_bytes(pickle.dumps(self._model))
        if self._done == self._death:
            os.kill(os.getpid(), signal.SIGKILL)


def live(folder: Path, answer: str, death: int, fate: Fate) -> list[Any]:
    """Return all starts once they are over, and what ran."""
    world = folder / "world"
    first = not world.exists()
    model: Model = Model() if first else pickle.loads(world.read_bytes())  # noqa: S301 - we wrote it
    mortal = Killed(death, world, model)
    file = StateFile(folder / "state")
    inner = FileStore(file, "acme")
    if first:
        for name in ("one", "two"):
            inner.save(Row(id=name, target=Target("task", "t", "t"), arguments=((0, name),)))
    store = MortalStore(inner, mortal)
    answers = chain([(answer, fate.late)], repeat(("ok", 0.0))) if not model.created else repeat(("ok", 0.0))
    upstream = ModelUpstream(model, mortal, answers)
    upstream.keyed = {"one": False, "two": False}
    starter = Starter(upstream, store, lambda: model.now, Timing())
    for _ in range(400):
        starter.work()
        model.wait(fate.pause)
        model.finish_all()
    file.close()
    return [model.created, sorted(row.phase for row in inner.over_rows())]


def killed(folder: Path, answer: str, fate: Fate) -> tuple[int, list[Any]]:
    """Return how often the process was killed, and what the last life saw."""
    kills = 0
    while True:
        result = folder / "result"
        child = os.fork()
        if child == 0:
            death = fate.deaths[kills] if kills < len(fate.deaths) else 0
            result.write_text(json.dumps(live(folder, answer, death, fate)))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            assert os.waitstatus_to_exitcode(status) == 0
            return kills, json.loads(result.read_text())
        kills += 1


def fate_of(step: int, time: int, seed: int) -> Fate:
    """Return what happens when a process is killed at a step; `time` counts from 0."""
    if time == 0:
        return Fate((step,))
    chance = random.Random(f"{seed} {step} {time}")  # noqa: S311 - chance, no secret
    deaths = (step, *(chance.randint(1, 14) for _ in range(chance.randrange(3))))
    return Fate(deaths, chance.uniform(1.0, 500.0), chance.choice((5.0, 15.0, 60.0)))


def main(base: Path, answer: str, steps: int, times: int, seed: int) -> None:
    """Kill the process at each step, so many times, and print what came of it."""
    for step in range(1, steps + 1):
        for time in range(times):
            here = base / f"{step}-{time}"
            here.mkdir()
            print(json.dumps([step, *killed(here, answer, fate_of(step, time, seed))]), flush=True)  # noqa: T201 - the result


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))
