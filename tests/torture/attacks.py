"""The attacks of `make torture`: ordinary tests with many more tries."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["ATTACKS", "Attack"]

_KILLS_A_PLAY: Final = 28


@dataclass(frozen=True, slots=True)
class Attack:
    """Tests that read from the environment how much they try, and from which seed.

    Attributes:
        name: In a word or two.
        full: How much is tried at scale 1, in `unit`.
        unit: What is counted.
        tests: Files or ids of tests.
        amount: The environment variable that says how much is tried.
        seed: The environment variable for the seed; empty if Hypothesis has an option for it, or nothing is random.
        tests_of_each: Number of tests that share the amount.
        least: The smallest amount that tries anything.
        beside_load: Whether one busy program for each core runs beside.
    """

    name: str
    full: int
    unit: str
    tests: tuple[str, ...]
    amount: str
    seed: str = ""
    tests_of_each: int = 1
    least: int = 1
    beside_load: bool = False

    def count(self, scale: float) -> int:
        """Return how much is tried at a scale."""
        return max(self.least * self.tests_of_each, round(self.full * scale))

    def environment(self, scale: float, seed: int) -> Mapping[str, str]:
        """Return the environment variables that say this to the tests."""
        seeds = {self.seed: str(seed)} if self.seed else {}
        return {self.amount: str(-(-self.count(scale) // self.tests_of_each)), **seeds}


class _Kills(Attack):
    """The kills are divided between plays, and each play has its own seed."""

    def environment(self, scale: float, seed: int) -> Mapping[str, str]:
        plays = -(-self.count(scale) // _KILLS_A_PLAY)
        return {"RUN_PLAYS": str(plays), "RUN_KILLS": str(-(-self.count(scale) // plays)), "RUN_SEED": str(seed)}


ATTACKS: Final[tuple[Attack, ...]] = (
    Attack(
        "mutated objects",
        *(1_000_000, "objects", ("tests/fuzz/test_mutated.py",)),
        *("MUTATED_OBJECTS", "MUTATED_SEED"),
        least=4000,
    ),
    Attack(
        "responses and requests from Hypothesis",
        *(1_000, "examples of each test", ("tests/fuzz/test_upstream.py", "tests/fuzz/test_requests.py")),
        "FUZZ_EXAMPLES",
        least=25,
    ),
    _Kills(
        "kill -9 during faults, clock steps and bursts",
        *(200, "kills", ("tests/e2e/test_every_run_counts.py::test_every_run_counts_once_whatever_happens",)),
        *("RUN_KILLS", "RUN_SEED"),
        least=4,
    ),
    Attack(
        "signals at the start",
        *(200, "starts", ("tests/test_signals.py",)),
        *("SIGNAL_STARTS", "SIGNAL_SEED"),
        tests_of_each=3,
        least=2,
        beside_load=True,
    ),
    Attack(
        "signals during polls and scrapes",
        *(200, "signals", ("tests/torture/test_signals_amid_work.py",)),
        *("WORKING_SIGNALS", "WORKING_SEED"),
        least=6,
        beside_load=True,
    ),
    Attack(
        "steps of the machine's clock, up to 27 years",
        *(200, "steps", ("tests/test_clock_steps.py",)),
        *("CLOCK_STEPS", "CLOCK_SEED"),
        tests_of_each=2,
        least=6,
    ),
    Attack(
        "bombs, floods and lists that expand when decoded",
        *(600, "seconds", ("tests/torture/test_bombs.py",)),
        *("BOMB_SECONDS", "BOMB_SEED"),
        least=10,
    ),
    Attack(
        "flipped bits in the state file",
        *(20_000, "files", ("tests/ledger/test_damage.py::test_flipped_bits_change_no_count_in_silence",)),
        *("DAMAGED_FILES", "DAMAGE_SEED"),
        tests_of_each=4,
        least=60,
    ),
    Attack(
        "scrapes of 16 clients while polls run",
        *(20_000, "scrapes", ("tests/e2e/test_load.py",)),
        "LOAD_SCRAPES",
        least=1000,
    ),
    Attack(
        "kill -9 at each step of a start",
        *(20, "times at each of 14 steps, with each of 5 answers", ("tests/actions/test_killed.py",)),
        *("KILLED_TIMES", "KILLED_SEED"),
    ),
    Attack(
        "kill -9 of Prometheus, Alertmanagers and actions, behind a bad proxy",
        *(600, "seconds", ("tests/e2e/test_action_churn.py",)),
        *("CHURN_SECONDS", "CHURN_SEED"),
        least=30,
    ),
)
