"""The shell commands of the documents, each as a reader types it, and which of them the walk does not type."""

import re
import shlex
import textwrap
from collections.abc import Mapping
from typing import Final

from documents import ROOT, document

__all__ = [
    "ELSEWHERE",
    "LANGUAGES",
    "NOT_TYPED",
    "PAGES",
    "commands_of",
    "is_in",
    "languages_of",
    "left_to_type",
    "names_in",
]

PAGES: Final = (
    *("README.md", "CONTRIBUTING.md", "RELEASE.md", "helm/theeye-exporter/README.md"),
    *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))),
)
"""All pages for readers, by their path from the root; a decision is no guide."""

SHELL: Final = ("sh", "console")
"""Languages of blocks with commands; in `console`, they stand behind a `$`, and what they print below."""

LANGUAGES: Final = (*SHELL, "ini", "mermaid", "promql", "text", "yaml")
"""All languages of blocks: in another one, a command would not be noticed."""

ELSEWHERE: Final = {
    r"helm (--namespace monitoring )?(install|upgrade) .*": "tests/chart/test_documentation.py::test_commands_of_the_pages",
    r"docker run .*": "tests/image/test_pages.py::test_commands_of_the_pages",
    r"docker compose .*compose\.actions\.yaml up -d": "tests/test_compose_actions.py::test_the_loop_closes",
    r"docker compose up": "tests/test_compose.py::test_the_exporter_understands_its_flags_and_listens_where_it_is_published",
    r"docker compose --profile actions up -d": "tests/test_install.py::test_actions_start_with_users_and_are_seen_to_be_healthy_without_one",
    r"curl .*app\.theeye\.io.*": "tests/test_install.py::test_a_login_gives_the_token_of_a_user",
    r"sudo systemctl enable --now .*": "tests/test_install.py::test_systemd_accepts_the_unit_and_finds_it_closed",
    r"make dist( test-dist)?": "tests/release/test_dist.py",
    r"make bench ARGS=--quick": "tests/benchmarks/test_benchmarks.py",
    r"make torture SCALE=0\.1 SEED=1": ".ci/run",
    r"PYTHONPATH=tests \.venv/bin/python -m benchmarks\.episodes": "tests/benchmarks/test_episodes.py",
    r"theeye-exporter demo --demo\.actions": "tests/test_demo_actions.py::test_the_loop_closes",
    r"python -m theeye_exporter\.healthcheck": "tests/image/test_running.py::test_the_demo_needs_no_settings",
}
"""Commands that another test types, or whose programs it starts: a pattern for all of a command, and the test."""

NOT_TYPED: Final = {
    r"(git pull && )?docker compose (run|stop|cp|up -d)\b.*|docker compose --profile actions up -d --build|docker (exec|stop|cp|ps)\b.*": "needs Docker's daemon",
    r"cp env\.example \.env|echo ACTIONS_\S+ >> \.env": "means nothing without Docker's daemon",
    r"(git pull && )?make image( ENGINE=podman)?|make image-bill IMAGE=…": "needs Docker or podman with a registry; tests/image "
    "builds the Dockerfile with buildah",
    r"sudo systemctl (daemon-reload|stop \S+)|systemctl restart \S+|journalctl .*": "needs systemd",
    r"kubectl .*|helm (--namespace monitoring )?test .*": "needs a cluster; tests/chart renders what is installed, and runs the test",
    r"git pull( && make run)?": "needs a newer commit at the origin of the clone",
    r"(gh|git (tag|checkout)|sha256sum|zizmor) .*": "needs GitHub, and a release",
    r"make test .*|make docs format check test|make lock licences.*|\.ci/run --tools-only": "is how these tests are run, or needs "
    "all of their tools and minutes",
    r"make (bench|torture) .*(SCALE=(1|0\.05) |--only|--monitors).*|PYTHONPATH=tests \.venv/bin/python -m benchmarks\.organizations .*": "takes many minutes",
    r"apt-get install .*": "needs hundreds of megabytes; .ci/run installs the same programs",
}
"""Commands that no test types, and why."""

_FENCED: Final = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_PROGRAM: Final = re.compile(
    r"(sudo|make|theeye-exporter|\.venv/bin/\S+|curl|helm|kubectl|docker|promtool|amtool|git|gh|zizmor|source|install|python3?"
    r"|pipx|pip|systemctl|journalctl|apt-get|chmod|PYTHONPATH=\S+|\.ci/run)\s+\S"
)
_NAME: Final = re.compile(r"(make|theeye-exporter( actions)?|helm|kubectl|systemctl) [a-z][a-z-]*")


def commands_of(page: str) -> list[str]:
    """Return the commands of a page in their order, a command that is in code within a sentence or a table once."""
    text = document(page)
    typed = [command for _, language, code in _FENCED.findall(text) if language in SHELL for command in _typed(code)]
    spans = [re.sub(r"\s+", " ", span) for span in re.findall(r"`([^`]+)`", _FENCED.sub("", text))]
    return typed + [span for span in dict.fromkeys(spans) if _PROGRAM.match(span) and not _NAME.fullmatch(span)]


def names_in(page: str) -> set[str]:
    """Return the code within sentences that only names a command: it has no arguments, so nobody can type it."""
    spans = re.findall(r"`([^`]+)`", _FENCED.sub("", document(page)))
    return {span for span in spans if _NAME.fullmatch(span)}


def languages_of(page: str) -> set[str]:
    """Return the languages of the blocks of a page; that of a block without one is empty."""
    return {language for _, language, _ in _FENCED.findall(document(page))}


def is_in(table: Mapping[str, str], command: str) -> bool:
    """Return whether a table has a command."""
    return any(re.fullmatch(pattern, command, re.DOTALL) for pattern in table)


def left_to_type(page: str) -> list[str]:
    """Return the commands of a page that neither table has."""
    return [command for command in commands_of(page) if not is_in({**ELSEWHERE, **NOT_TYPED}, command)]


def _typed(code: str) -> list[str]:
    """Return the commands of a block, those of several lines in one; in what is printed, no line begins with `$`."""
    lines = textwrap.dedent(code).splitlines()
    console = any(line.startswith("$ ") for line in lines)
    commands, begun = [], ""
    for line in lines:
        if console and not begun and not line.startswith("$ "):
            continue
        begun += re.sub(r"(^| +)# .*$", "", line.removeprefix("$ ") if console and not begun else line)
        if begun.endswith("\\"):
            begun = begun.removesuffix("\\")
        elif _is_open(begun):
            begun += "\n"
        elif begun:
            commands.append(re.sub(r"\s+", " ", begun) if "'" not in begun else begun)
            begun = ""
    return commands


def _is_open(command: str) -> bool:
    try:
        shlex.split(command)
    except ValueError:
        return True
    return command.endswith(("|", "&&"))
