"""An outage of hundreds of organisations is a few lines, and so is its end."""

import io
import re

import pytest

from theeye_exporter import NO_DATA
from theeye_exporter.observability.digest import Digest
from theeye_exporter.observability.failure_log import FailureLog
from theeye_exporter.observability.logs import configure_logging
from theeye_exporter.theeye.errors import Reason


class Fleet:
    """Organisations of one process, their clock, and what is logged about them."""

    def __init__(self, number: int) -> None:
        self.now = 0.0
        self._stream = io.StringIO()
        configure_logging("info", "logfmt", stream=self._stream)
        self.digest = Digest(lambda: self.now)
        self.names = [f"org-{one:03}" for one in range(number)]
        self.logs = {name: FailureLog(name, self.digest) for name in self.names}

    def fail(self, *names: str, reason: Reason = Reason.UNREACHABLE, detail: str = "it failed") -> None:
        for name in names or self.names:
            for collector in ("monitors", "jobs"):
                self.logs[name].failed(collector, reason, detail)

    def work(self, *names: str) -> None:
        for name in names or self.names:
            for collector in ("monitors", "jobs"):
                self.logs[name].succeeded(collector)

    def told(self) -> list[str]:
        """Return the new lines, without their times and loggers."""
        text = self._stream.getvalue()
        self._stream.seek(0)
        self._stream.truncate()
        return [re.sub(r"^ts=\S+ | logger=\S+$", "", line) for line in text.splitlines()]


@pytest.fixture
def fleet() -> Fleet:
    return Fleet(500)


def test_an_outage_of_all_is_told_with_a_number_and_some_names(fleet: Fleet) -> None:
    for number, name in enumerate(fleet.names):
        fleet.now = number / 25
        fleet.fail(name)
    assert [line.split(" reason")[0] for line in fleet.told()] == [
        f'level=warning msg="collection failed" organization=org-{number:03} collector=monitors' for number in range(3)
    ]
    fleet.now = 60
    fleet.fail("org-000")
    advice = Reason.UNREACHABLE.advice
    assert fleet.told() == [
        (
            'level=warning msg="collection failed" organizations=497 '
            'names="org-003, org-004, org-005, org-006, org-007 and 492 more" '
            f'collector=monitors reason=unreachable detail="it failed" advice="{advice}" see={NO_DATA}'
        )
    ]


def test_the_end_is_told_the_same_way_and_after_the_beginning(fleet: Fleet) -> None:
    fleet.fail()
    fleet.told()
    fleet.now = 30
    fleet.work()
    begun, *alone = fleet.told()
    assert 'msg="collection failed" organizations=497 ' in begun
    assert [line.split(" after")[0] for line in alone] == [
        f'level=info msg="collection works again" organization=org-{number:03} collector=jobs' for number in range(3)
    ]
    fleet.now = 90
    fleet.work("org-000")
    assert fleet.told() == [
        (
            'level=info msg="collection works again" organizations=497 '
            'names="org-003, org-004, org-005, org-006, org-007 and 492 more" collector=jobs after=unreachable failures=994'
        )
    ]


def test_a_night_of_outage_is_a_few_lines(fleet: Fleet) -> None:
    lines = 0
    for _ in range(8 * 60):
        fleet.now += 60
        fleet.fail()
        lines += len(fleet.told())
    assert lines <= 12 * 4


def test_few_organisations_have_lines_of_their_own(fleet: Fleet) -> None:
    fleet.fail(*fleet.names[:5])
    assert len(fleet.told()) == 3
    fleet.now = 60
    fleet.digest.settle()
    assert [line.split(" collector")[0] for line in fleet.told()] == [
        f'level=warning msg="collection failed" organization=org-{number:03}' for number in (3, 4)
    ]


def test_each_reason_is_told_for_itself(fleet: Fleet) -> None:
    fleet.fail(*fleet.names[:250])
    fleet.fail(*fleet.names[250:], reason=Reason.UNAUTHORIZED)
    fleet.now = 60
    fleet.digest.settle()
    lines = [line for line in fleet.told() if "organizations=" in line]
    assert [re.findall(r"organizations=(\d+) .* reason=(\w+)", line)[0] for line in lines] == [
        ("247", "unreachable"),
        ("247", "unauthorized"),
    ]


def test_what_differs_is_left_out(fleet: Fleet) -> None:
    for number, name in enumerate(fleet.names):
        fleet.fail(name, detail=f"detail {number}")
    fleet.digest.close()
    assert "detail=" not in fleet.told()[-1]


def test_what_is_collected_is_told_at_the_end_and_only_once(fleet: Fleet) -> None:
    fleet.fail()
    fleet.told()
    fleet.digest.close()
    fleet.digest.close()
    assert len(fleet.told()) == 1


def test_a_token_that_sees_nothing_is_told_once_for_many(fleet: Fleet) -> None:
    for log in fleet.logs.values():
        log.blind("look")
    fleet.digest.close()
    lines = fleet.told()
    assert len(lines) == 4
    assert lines[-1].startswith('level=warning msg="the token sees nothing" organizations=497 names="org-003, ')
