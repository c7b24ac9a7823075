"""What all tests share."""

import os
from typing import Final

import hypothesis
import pytest
import structlog
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# How long an example takes says nothing but how busy the machine is.
hypothesis.settings.register_profile("tests", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("tests")

LONGEST: Final = (
    "tests/e2e/test_every_run_counts.py",
    "tests/e2e/test_alerts.py",
    "tests/benchmarks/",
    "tests/image/",
    "tests/e2e/",
    "tests/release/",
    "tests/test_",
)
"""They begin first, so that no worker is left with them when the others are done."""

TOGETHER: Final = ("tests/image/", "tests/chart/")
"""Their modules share what is made for them once; elsewhere a module does."""

APART: Final = ("tests/e2e/test_every_run_counts.py", "tests/e2e/test_alerts.py", "tests/e2e/test_web_config.py")
"""Their tests share nothing."""


class Scheduling(LoadScopeScheduling):
    """Hands out tests to workers in their order, those that share something to the same one."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(APART):
            return nodeid
        return next((folder for folder in TOGETHER if nodeid.startswith(folder)), nodeid.partition("::")[0])


def pytest_xdist_auto_num_workers() -> int:
    """Have one worker more than cores: half of the time, a test waits for something."""
    return len(os.sched_getaffinity(0)) + 1


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    """Let several workers share the tests out so."""
    config.option.loadscopereorder = False
    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes longest first."""
    items.sort(key=lambda item: next((n for n, start in enumerate(LONGEST) if item.nodeid.startswith(start)), 99))


@pytest.fixture(autouse=True)
def _default_logging() -> None:
    """Let each test start with structlog as it is imported, whatever another one configured."""
    structlog.reset_defaults()
