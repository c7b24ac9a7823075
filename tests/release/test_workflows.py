"""Whatever the workflows check, a developer can check too: with `make`, and all of it with `.ci/run`."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import yaml

ROOT: Final = Path(__file__).parents[2]

ACTIONS: Final = {
    "set up": {
        "actions/checkout",
        "actions/download-artifact",
        "actions/setup-python",
        "actions/upload-artifact",
        "azure/setup-helm",
        "docker/login-action",
        "docker/metadata-action",
        "docker/setup-buildx-action",
    },
    "publish": {"docker/build-push-action", "pypa/gh-action-pypi-publish"},
    "sign": {"actions/attest-build-provenance", "actions/attest-sbom"},
}
"""What the workflows use of others. None of them checks anything that a developer could not."""

SCRIPTS: Final = {
    "set up": {
        "ci: Install what the tests drive",
        "ci: Make the environment as the user",
        "ci: Say what the image is made of",
        "release: Say what is released",
        "release: Take what the index takes",
    },
    "publish": {
        "release: Make the release",
        "release: Promote the images that were tested",
        "release: Push the chart",
    },
    "sign": {"release: Compare the checksums before they are signed"},
}
"""Steps that are no checks, by workflow and name."""

CHECK: Final = re.compile(r"(?:sudo --preserve-env=\S+ )?(?:TAG=\S+ )?make (?P<target>[a-z-]+)(?: (?P<arguments>.*))?")


class Step(NamedTuple):
    """A step of a workflow."""

    workflow: str
    job: str
    step: dict[str, Any]

    @property
    def name(self) -> str:
        """Return what tells it from other steps."""
        return f"{self.workflow}: {self.step.get('name') or self.step.get('run') or self.step['uses']}"


def steps() -> Iterator[Step]:
    for path in sorted((ROOT / ".github/workflows").glob("*.y*ml")):
        for job, description in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].items():
            for step in description.get("steps", ()):
                yield Step(path.stem, job, step)


def checks() -> Iterator[re.Match[str]]:
    """Return the calls of `make` in the workflows."""
    return filter(None, (CHECK.fullmatch(step.step.get("run", "").strip()) for step in steps()))


def local_targets() -> set[str]:
    """Return what `.ci/run` makes."""
    return set(re.findall(r"^make ([a-z-]+)", (ROOT / ".ci/run").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("step", [pytest.param(s, id=f"{s.name} ({s.job})") for s in steps() if "run" in s.step])
def test_a_step_is_a_target_that_everybody_can_make_unless_it_checks_nothing(step: Step) -> None:
    found = CHECK.fullmatch(step.step["run"].strip())

    if found is None:
        assert step.name in set().union(*SCRIPTS.values())
    else:
        assert found["target"] in local_targets()


def test_what_is_used_of_others_is_known() -> None:
    assert {step.step["uses"].partition("@")[0] for step in steps() if "uses" in step.step} == set().union(
        *ACTIONS.values()
    )


def test_each_script_that_is_named_is_there() -> None:
    assert set().union(*SCRIPTS.values()) == {
        step.name for step in steps() if "run" in step.step and not CHECK.fullmatch(step.step["run"].strip())
    }


def test_what_must_hold_here_must_hold_there() -> None:
    in_workflows = {found["target"] for found in checks()}
    assert in_workflows == local_targets()
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert phony is not None
    assert in_workflows <= set(phony[1].split())


def test_jobs_that_share_the_tests_leave_none_out() -> None:
    arguments = [found["arguments"] or "" for found in checks() if found["target"] == "test"]
    left_out = {path for text in arguments for path in re.findall(r"--ignore=([\w/]+)", text)}
    alone = {path for text in arguments for path in re.findall(r"ARGS=(tests/\w+)", text)} | {"tests/chart"}
    assert "chart" in {found["target"] for found in checks()}

    assert left_out == alone
    assert [text for text in arguments if not text or text.startswith('ARGS="--ignore=')]


def test_nothing_is_published_that_was_not_checked() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))["jobs"]

    def needed(job: str) -> set[str]:
        needs = jobs[job].get("needs", [])
        direct = {needs} if isinstance(needs, str) else set(needs)
        return direct.union(*(needed(other) for other in direct))

    assert jobs["ci"]["uses"] == "./.github/workflows/ci.yml"
    for job in jobs.keys() - {"version", "ci"}:
        assert {"version", "ci"} <= needed(job), job
