"""Fixtures and options for all tests."""

import os
from pathlib import Path
from typing import Final

import hypothesis
import pytest
import structlog
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from theeye_exporter.theeye import memory
from tools import do_without_tools, missing_tools

LONGEST: Final = (
    "tests/e2e/test_every_run_counts.py",
    "tests/e2e/test_alerts.py",
    "tests/e2e/test_action_churn.py",
    "tests/benchmarks/",
    "tests/image/",
    "tests/e2e/",
    "tests/release/",
    "tests/test_",
)
"""They begin first, so that no worker is left with them when the others are done."""

TOGETHER: Final = ("tests/image/", "tests/chart/")
"""The tests of each of these folders share what is made for them once; elsewhere, those of a module do."""

APART: Final = (
    "tests/e2e/test_alertmanagers.py",
    "tests/e2e/test_alerts.py",
    "tests/e2e/test_every_run_counts.py",
    "tests/e2e/test_web_config.py",
)
"""Their tests share nothing."""


SLOW: Final = (
    "tests/actions/",
    "tests/alerts/test_game_day.py",
    "tests/alerts/test_matrix.py",
    "tests/benchmarks/",
    "tests/chart/",
    "tests/collectors/test_new_collector.py",
    "tests/config/test_shard.py",
    "tests/config/test_unreadable_files.py",
    "tests/demo/test_living.py",
    "tests/e2e/",
    "tests/fuzz/",
    "tests/image/",
    "tests/ledger/test_histories.py",
    "tests/ledger/test_storage.py",
    "tests/polling/test_many_organizations.py",
    "tests/polling/test_organizations.py",
    "tests/polling/test_reload_polls.py",
    "tests/polling/test_reload_process.py",
    "tests/release/test_dist.py",
    "tests/release/test_sbom.py",
    "tests/test_actions.py",
    "tests/test_actions_without_a_disk.py",
    "tests/test_alert_actions.py",
    "tests/test_canaries_documentation.py",
    "tests/test_cli",
    "tests/test_clock_steps.py",
    "tests/test_compose",
    "tests/test_demo_actions.py",
    "tests/test_faults.py",
    "tests/test_healthcheck.py",
    "tests/test_hostile_alerts.py",
    "tests/test_main.py",
    "tests/test_only_reads.py",
    "tests/test_run",
    "tests/test_shortage.py",
    "tests/test_signals.py",
    "tests/theeye/test_transport.py",
    "tests/torture/",
    "tests/web/security/test_tls.py",
    "tests/web/test_connection.py",
    "tests/web/test_server.py",
    "tests/web/test_server_limits.py",
)
"""What starts many programs or tries much: `--fast` leaves it out."""


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
    """Let several workers divide the tests in this way."""
    config.option.loadscopereorder = False
    return Scheduling(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add a flag that leaves out slow tests and those that need tools."""
    parser.addoption("--fast", action="store_true", help="only tests that need no tools and little time")


def pytest_configure(config: pytest.Config) -> None:
    """Keep fast tests from tools, and let CI try the same examples each time: others are for people and `make torture`."""
    repeats = bool(os.environ.get("CI")) and config.getoption("--hypothesis-seed") is None
    # How long an example takes only says how busy the machine is.
    slowness = [hypothesis.HealthCheck.too_slow]
    hypothesis.settings.register_profile("tests", deadline=None, derandomize=repeats, suppress_health_check=slowness)
    hypothesis.settings.load_profile("tests")
    if config.getoption("--fast"):
        do_without_tools()


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what a run of everything will take."""
    if config.args_source is not pytest.Config.ArgsSource.TESTPATHS or config.getoption("--fast"):
        return []
    missing = missing_tools()
    effect = "what needs them fails, since CI is set" if os.environ.get("CI") else "what needs them is skipped"
    return [
        "takes: about ten minutes on two quiet cores, and 2 GiB of memory; `make test-fast` takes less than one",
        f"tools: missing here: {', '.join(missing)}; {effect}" if missing else "tools: all are here",
    ]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave what is slow out of the fast tests; importing it alone takes half of their time."""
    name = f"{collection_path.relative_to(config.rootpath).as_posix()}{'/' * collection_path.is_dir()}"
    return True if config.getoption("--fast") and name.startswith(SLOW) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes longest first."""
    items.sort(key=lambda item: next((n for n, start in enumerate(LONGEST) if item.nodeid.startswith(start)), 99))


@pytest.fixture(autouse=True)
def _own_memory() -> None:
    """Let each test count memory from what the process has at its start: earlier tests took that, not answers."""
    memory.resident_at_start.cache_clear()


@pytest.fixture(autouse=True)
def _default_logging() -> None:
    """Let each test start with structlog as it is imported, whatever another one configured."""
    structlog.reset_defaults()
