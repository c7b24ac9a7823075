"""The example queries of docs/metrics.md: promtool reads them, and a real Prometheus answers them about a simulated TheEye."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import promql_parser as promql
import pytest

from documents import code_blocks, document
from e2e_prometheus import query
from history import Past, live_through, prometheus_of
from queries import catalogue, selectors
from theeye_exporter.collectors.registry import COLLECTORS
from theeye_exporter.demo import DemoSettings, SimulatedTheEye, parse_fault
from theeye_exporter.demo.other_endpoints import host_document
from tools import require_tool

pytestmark = pytest.mark.e2e

QUERIES_IN_A_SECTION: Final = 3
WITHOUT_ANSWER: Final = {
    "Days until the certificate expires",
    "Failing indicators",
    "Canaries whose last run failed",
    "Actions that start nothing until somebody resumes them",
}
"""The simulated TheEye has no TLS, its indicators and the canaries never fail, and no action is suspended."""
OUTDATED: Final = "v2.0.3"
"""Most bots of the simulated TheEye are newer."""


def sections() -> dict[str, dict[str, str]]:
    """Return the queries of each section by their titles."""
    found: dict[str, dict[str, str]] = {}
    for part in document("docs/metrics.md").split("\n## ")[1:]:
        blocks = code_blocks(part, "promql")
        queries = [example.partition("\n") for block in blocks for example in block.strip().split("\n\n")]
        found[part.partition("\n")[0]] = {title.removeprefix("# "): text for title, _, text in queries}
    return found


SECTIONS: Final = sections()
NATIVE: Final = SECTIONS.pop("Native histograms")
EXAMPLES: Final = {title: text for part in SECTIONS.values() for title, text in part.items()}


class Setup(NamedTuple):
    """A Prometheus with a past."""

    url: str
    past: Past
    silent: str
    outdated: frozenset[str]

    def answer(self, title: str) -> list[dict[str, str]]:
        """Return the labels, and the value as `value`, of what a query finds at the end of the past."""
        found = query(self.url, EXAMPLES[title], self.past.end)
        return [{**one["metric"], "value": one["value"][1]} for one in found]


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    silent: list[str] = []
    outdated: set[str] = set()

    def upset(theeye: SimulatedTheEye) -> None:
        silent.append(max(theeye.world.hosts))
        faults = f"bot-silent={silent[0]}", "schedule-failed=*backup*", "monitor-failing=*watch*"
        theeye.faults = tuple(map(parse_fault, faults))
        for host in theeye.world.hosts.values():
            (taken,) = host_document(host, theeye.world.organization)["fingerprints"]
            outdated.update([host.hostname] if taken["agent_version"] == OUTDATED else [])

    folder = tmp_path_factory.mktemp("past")
    past = live_through(folder, hours=1, settings=DemoSettings(monitors=60, tasks=24), events={0.2: upset})
    with prometheus_of(past, folder) as url:
        yield Setup(url, past, silent[0], frozenset(outdated))


def test_every_section_has_three_and_every_collector_a_section() -> None:
    assert [(title, len(part)) for title, part in SECTIONS.items()] == [
        *((kind.title, QUERIES_IN_A_SECTION) for kind in COLLECTORS),
        ("Canaries", QUERIES_IN_A_SECTION),
        ("Actions", QUERIES_IN_A_SECTION),
        ("Exporter", QUERIES_IN_A_SECTION),
        ("Process", QUERIES_IN_A_SECTION),
    ]


def test_promtool_reads_every_query(tmp_path: Path) -> None:
    rules = [
        {"record": f"example:{number}", "expr": text}
        for number, text in enumerate([*EXAMPLES.values(), *NATIVE.values()])
    ]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "examples", "rules": rules}]}))
    command = [require_tool("promtool"), "check", "rules", str(tmp_path / "rules.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, f"{len(rules)} rules found" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize("title", EXAMPLES)
def test_the_metrics_and_labels_of_a_query_exist(title: str) -> None:
    known = catalogue()
    for selector in selectors(promql.parse(EXAMPLES[title])):
        assert selector.matchers.keys() <= known[selector.name][1]


def test_a_query_of_a_native_histogram_is_the_one_of_its_buckets_without_them() -> None:
    ((title, text),) = NATIVE.items()
    (native,), (classic,) = (list(selectors(promql.parse(one))) for one in (text, EXAMPLES[title]))
    assert f"{native.name}_bucket" == classic.name
    assert "le" not in text.replace("(", " ").replace(",", " ").split()


@pytest.mark.parametrize("title", sorted(EXAMPLES.keys() - WITHOUT_ANSWER))
def test_a_query_finds_something(setup: Setup, title: str) -> None:
    assert setup.answer(title)


@pytest.mark.parametrize("title", sorted(WITHOUT_ANSWER))
def test_a_query_about_what_there_is_not_finds_nothing(setup: Setup, title: str) -> None:
    assert setup.answer(title) == []


def test_the_silent_host_is_found(setup: Setup) -> None:
    assert {one["hostname"] for one in setup.answer("Silent hosts")} == {setup.silent}


def test_the_fullest_disks_are_five_in_order(setup: Setup) -> None:
    usage = [float(one["value"]) for one in setup.answer("The five fullest disks")]
    everything = [float(one["value"][1]) for one in query(setup.url, "theeye_host_disk_usage_ratio", setup.past.end)]
    assert len(usage) == 5
    assert usage == sorted(usage, reverse=True)
    assert max(everything) == usage[0]


def test_bots_with_an_older_version_are_found(setup: Setup) -> None:
    assert setup.outdated
    found = setup.answer("Hosts whose bot does not have the most common version")
    assert {one["hostname"] for one in found} == setup.outdated


def test_failed_runs_are_those_that_theeye_counts(setup: Setup) -> None:
    failed = sum(setup.past.runs(outcome) for outcome in ("failure", "timeout", "error"))
    assert failed > 10
    found = sum(float(one["value"]) for one in setup.answer("Runs that failed in the last 24 hours, by task"))
    # What Prometheus calls an increase is extrapolated to the time between scrapes.
    assert found == pytest.approx(failed, rel=0.05)
