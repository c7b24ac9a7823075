"""Kills a process at each step of a start, and says what TheEye ran: `python -m actions.killed FOLDER ANSWER STEPS`.

Each life is a process of its own that ends by a real kill -9; the model of TheEye outlives it in a file.
"""

import json
import os
import pickle
import signal
import sys
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from actions.model import Model, ModelUpstream, Mortal, MortalStore
from theeye_exporter.actions.rows import Row, Target, Timing
from theeye_exporter.actions.starter import Starter
from theeye_exporter.actions.state_file import StateFile
from theeye_exporter.actions.store import FileStore


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


def live(folder: Path, answer: str, death: int) -> list[Any]:
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
    answers = chain([(answer, 30.0)], repeat(("ok", 0.0))) if not model.created else repeat(("ok", 0.0))
    upstream = ModelUpstream(model, mortal, answers)
    upstream.keyed = {"one": False, "two": False}
    starter = Starter(upstream, store, lambda: model.now, Timing())
    for _ in range(400):
        starter.work()
        model.wait(15.0)
        model.finish_all()
    file.close()
    return [model.created, sorted(row.phase for row in inner.over_rows())]


def killed_at(folder: Path, answer: str, death: int) -> tuple[int, list[Any]]:
    """Return how often the process was killed, and what the last life saw."""
    kills = 0
    while True:
        result = folder / "result"
        child = os.fork()
        if child == 0:
            result.write_text(json.dumps(live(folder, answer, death if kills == 0 else 0)))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            assert os.waitstatus_to_exitcode(status) == 0
            return kills, json.loads(result.read_text())
        kills += 1


if __name__ == "__main__":
    base, wanted, steps = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    for step in range(1, steps + 1):
        here = base / f"{wanted}-{step}"
        here.mkdir()
        print(json.dumps([step, *killed_at(here, wanted, step)]), flush=True)  # noqa: T201 - the result
