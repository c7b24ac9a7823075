"""Tests commands as a user types them: their output and exit code."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from config.configurations import CANARY
from contexts import POLLED
from playback import T0, TOKEN, Asked, Recording, Reply, Server, http_server
from processes import eventually, exporter_command, free_port, running
from theeye_exporter import NO_DATA, __version__
from theeye_exporter.cli import main
from theeye_exporter.collectors.registry import CATALOGUE
from theeye_exporter.commands import COMMANDS
from tools import require_tool

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("THEEYE_"):
            monkeypatch.delenv(name)


@pytest.fixture
def theeye() -> Iterator[Server]:
    with http_server(Recording(T0)) as server:
        yield server


def set_environment(monkeypatch: pytest.MonkeyPatch, url: str, **changes: str) -> None:
    values = {"ORGANIZATION_NAME": "demo", "TOKEN": TOKEN, "SUPERVISOR_URL": url} | changes
    for name, value in values.items():
        monkeypatch.setenv(f"THEEYE_{name}", value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--web.listen-adress=:1"], 'unknown flag "--web.listen-adress"; did you mean "--web.listen-address"?'),
        (["chek"], 'unknown command "chek"; did you mean "check"?'),
        (["whatever"], 'unknown command "whatever"; the commands are serve, check, demo, run, actions, metrics'),
        (["--xyz"], 'unknown flag "--xyz"; --help lists the flags'),
        (["serve", "something"], 'unknown argument "something"; --help lists the flags'),
        (["--log.level"], "argument --log.level: expected one argument"),
        (["metrics", "--format=html"], 'argument --format: invalid choice: "html" (choose from'),
        (["demo", "--demo.monitors=many"], 'argument --demo.monitors: invalid int value: "many"'),
        (
            ["demo", "--demo.fault=eror=503"],
            'argument --demo.fault: unknown fault (did you mean "error"?).',
        ),
        (["--config.file=x", "check"], "the command comes first: theeye-exporter check [flags]"),
        (["--log.level", "debug", "demo"], "the command comes first: theeye-exporter demo [flags]"),
        (
            ["--collector.jobs=false"],
            "--collector.jobs/--no-collector.jobs takes no value",
        ),
    ],
)
def test_a_mistyped_command_line_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith(f"theeye-exporter: error: {message}")


@pytest.mark.parametrize(
    "arguments",
    [
        [CANARY],
        ["check", CANARY],
        ["serve", "--log.level=debug", CANARY],
        [f"--{CANARY}"],
        ["demo", f"--{CANARY}=1"],
        ["demo", f"--demo.monitors={CANARY}"],
        ["demo", f"--demo.shape={CANARY}"],
        ["metrics", f"--format={CANARY}"],
        [f"--log.level={CANARY}"],
        [f"--web.listen-address={CANARY}"],
        [f"--web.enable-lifecycle={CANARY}"],
        [f"--state.file=/nowhere/{CANARY}/x"],
        [f"--config.file={CANARY}"],
    ],
)
def test_a_token_at_a_wrong_place_of_the_command_line_is_not_repeated(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert err
    assert CANARY not in out + err


def test_a_token_as_an_argument_gets_a_hint_where_it_belongs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", CANARY]) == 2
    assert capsys.readouterr().err == (
        "theeye-exporter: error: unknown argument (not repeated, as it may be a token); --help lists the flags; put tokens in THEEYE_TOKEN or a token_file\n"
    )


@pytest.mark.parametrize("command", [["--help"], ["check", "--help"], ["demo", "--help"], ["metrics", "--help"]])
def test_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(command)
    assert caught.value.code == 0
    assert "usage: theeye-exporter" in capsys.readouterr().out


def test_help_says_what_the_state_file_of_each_process_keeps(capsys: pytest.CaptureFixture[str]) -> None:
    told = []
    for command in ([], ["actions"]):
        with pytest.raises(SystemExit):
            main([*command, "--help"])
        words = " ".join(capsys.readouterr().out.split())
        told.append(re.findall(r"--state.file FILE (.*?)(?: --| environment variables)", words))
    assert told == [
        ["file that keeps counters across restarts"],
        ["file that keeps alerts, decisions and runs across restarts; needed for actions"],
    ]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"theeye-exporter {__version__}\n"


def test_all_configuration_errors_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "exporter.yml"
    path.write_text("organizations:\n  - name: demo\n    tokn: s3cret\ncollectors:\n  monitors: {intervall: 5s}\n")
    assert main([f"--config.file={path}", "--log.level=loud"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    lines = [line.removeprefix("theeye-exporter: error: ") for line in err.splitlines()]
    assert [line.partition(" ")[0] for line in lines] == [f"{path}:3:", f"{path}:5:", "command"]
    assert "s3cret" not in err


def test_without_an_organization_it_says_what_to_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "THEEYE_ORGANIZATION_NAME" in line
    assert "THEEYE_TOKEN" in line
    assert "demo" in line


def who_listens(advice: str) -> str:
    """Run the command of the advice."""
    (command,) = re.findall("`(.*?)`", advice)
    words = shlex.split(command)
    return subprocess.run([require_tool(words[0]), *words[1:]], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("command", [[], ["demo", "--demo.listen-address=127.0.0.1:0"]])
def test_a_port_in_use_is_one_line_and_exit_code_2(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_environment(monkeypatch, "http://127.0.0.1:1")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        assert main([*command, f"--web.listen-address={address}"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        fault, advice = line.split("; ")
        assert fault == f"theeye-exporter: error: cannot listen on {address}: address already in use"
        assert advice.endswith("or choose another address with --web.listen-address")
        assert f"pid={os.getpid()}," in who_listens(advice)


def test_the_demos_own_port_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        assert main(["demo", f"--demo.listen-address={address}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert (
        line == f"theeye-exporter: error: --demo.listen-address: cannot listen on {address}: address already in use; "
        "choose another one, such as --demo.listen-address=127.0.0.1:0"
    )


def test_an_unreadable_token_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("THEEYE_ORGANIZATION_NAME", "demo")
    monkeypatch.setenv("THEEYE_TOKEN_FILE", "/nowhere/token")
    assert main(["check"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "THEEYE_TOKEN_FILE" in line


def test_check_of_a_working_theeye(
    theeye: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_environment(monkeypatch, theeye.url)
    assert main(["check"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    table = [line.split() for line in out.splitlines() if line.startswith(("demo", "organization"))]
    assert table[0][:5] == ["organization", "collector", "result", "objects", "skipped"]
    assert [row[1:3] for row in table[1:]] == [[kind.name, "ok"] for kind in POLLED]
    assert [row[:5] for row in table[1:5]] == [
        ["demo", "monitors", "ok", "17", "0"],
        ["demo", "tasks", "ok", "14", "0"],
        ["demo", "workflows", "ok", "1", "0"],
        ["demo", "jobs", "ok", "41", "0"],
    ]
    assert "Everything works" in out
    assert TOKEN not in out


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"TOKEN": "wrong"}, "TheEye answered 401; the token is wrong or expired, or its user is disabled"),
        ({"SUPERVISOR_URL": "http://127.0.0.1:1"}, "connection refused by 127.0.0.1:1; check `url`, and the network"),
        ({"SUPERVISOR_URL": "http://theeye.invalid"}, "host name of theeye.invalid:80"),
        ({"ORGANIZATION_NAME": "other"}, "other (monitors"),
    ],
)
def test_check_says_what_is_wrong_and_what_to_do(
    changes: dict[str, str],
    words: str,
    theeye: Server,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_environment(monkeypatch, theeye.url, **changes)
    assert main(["check"]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    assert words in out
    assert out.count("problem:") <= 2
    assert "Traceback" not in out


def test_a_token_that_sees_nothing_fails_the_check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with http_server(lambda _: Reply(b"[]")) as server:
        set_environment(monkeypatch, server.url)
        assert main(["check"]) == 1
    out = capsys.readouterr().out
    assert (
        f"problem: demo at {server.url}: the token sees nothing; a token below level admin sees only what is shared"
        in out
    )
    assert out.endswith(f"\nMore help: {NO_DATA}\n")
    assert "Everything" not in out


def test_an_organisation_without_workflows_passes_the_check_without_a_warning(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = Recording(T0)
    with http_server(lambda asked: Reply(b"[]") if asked.path == "/workflows" else recording(asked)) as server:
        set_environment(monkeypatch, server.url)
        assert main(["check"]) == 0
    out, err = capsys.readouterr()
    assert re.search(r"demo +workflows +ok +0 ", out)
    assert not re.search("warning|problem|nothing|help", out)
    assert "nothing" not in err


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"SUPERVISOR_URL": "http://127.0.0.1:1"}, "unreachable"),
        ({"TOKEN": "wrong"}, "unauthorized"),
    ],
)
def test_serving_continues_when_theeye_is_unreachable(
    changes: dict[str, str], reason: str, theeye: Server, tmp_path: Path
) -> None:
    address = f"127.0.0.1:{free_port()}"
    env = {
        "THEEYE_ORGANIZATION_NAME": "demo",
        "THEEYE_TOKEN": TOKEN,
        "THEEYE_SUPERVISOR_URL": theeye.url,
        **{f"THEEYE_{name}": value for name, value in changes.items()},
    }
    log = tmp_path / "log"
    with running(exporter_command(f"--web.listen-address={address}"), log, env=env) as process:
        eventually(lambda: requests.get(f"http://{address}/-/ready", timeout=5).ok, "ready though TheEye is not")
        metrics = requests.get(f"http://{address}/metrics", timeout=5).text
        assert 'theeye_up{organization="demo"} 0\n' in metrics
        page = requests.get(f"http://{address}/", timeout=5).text
        assert TOKEN not in page
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    lines = [line for line in log.read_text().splitlines() if "level=warning" in line]
    assert len(lines) == 1
    assert f"reason={reason}" in lines[0]


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_poll_that_waits_does_not_delay_the_exit(signal_number: int, tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    demo = exporter_command(
        "demo",
        "--demo.fault=hang",
        f"--web.listen-address={address}",
        f"--demo.listen-address=127.0.0.1:{free_port()}",
    )
    with running(demo, tmp_path / "log") as process:
        eventually(lambda: requests.get(f"http://{address}/-/healthy", timeout=5).ok, "healthy")
        assert requests.get(f"http://{address}/-/ready", timeout=5).status_code == 503
        process.send_signal(signal_number)
        assert process.wait(8) == 0  # well before the poll's deadline of ten seconds


def test_no_secret_in_the_logs_at_debug_nor_on_the_page(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    recording = Recording(T0)

    def answer(asked: Asked) -> Reply:
        return recording(asked) if "task" not in asked.path else Reply(b'{"message":"s3cret","stack":"s3cret"}', 500)

    with http_server(answer) as theeye:
        env = {"THEEYE_ORGANIZATION_NAME": "demo", "THEEYE_TOKEN": TOKEN, "THEEYE_SUPERVISOR_URL": theeye.url}
        log = tmp_path / "log"
        command = exporter_command(f"--web.listen-address={address}", "--log.level=debug")
        with running(command, log, env=env):
            eventually(lambda: requests.get(f"http://{address}/-/ready", timeout=5).ok, "ready")
            shown = [requests.get(f"http://{address}{path}", timeout=5).text for path in ("/", "/metrics", "/-/ready")]
    shown.append(log.read_text())
    secrets = [TOKEN, "s3cret", "8b61d63ee22031d5b2618894b1a0a8055938b88dafd5d72ff4b82520b8a2abe9"]
    assert secrets[-1] in (T0 / "job_list.json").read_text()
    assert not [secret for secret in secrets for text in shown if secret in text]


def test_the_documented_metrics_are_those_of_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics", "--format=markdown"]) == 0
    printed = capsys.readouterr().out
    assert printed == (ROOT / "docs" / "metrics.md").read_text(), "run `make docs`"
    for family in CATALOGUE:
        assert f"| `{family.name}` | {family.type} |" in printed
    assert main(["metrics"]) == 0
    assert "theeye_up (gauge) {organization}" in capsys.readouterr().out


PAGES = {"starlette", "uvicorn", "jinja2"}
HEAVY = PAGES | {"requests", "urllib3", "prometheus_client", "apscheduler", "yaml"}
_IMPORTED = """
import sys
from theeye_exporter.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print(*sys.modules, file=sys.stderr)
"""


IMPORTS: list[tuple[str, set[str], set[str]]] = [
    ("--version", {"argparse"}, HEAVY | {"pydantic"}),
    ("version", {"argparse"}, HEAVY | {"pydantic"}),
    ("frobnicate", {"argparse"}, HEAVY | {"pydantic"}),
    ("--help", {"pydantic"}, HEAVY | {"theeye_exporter.demo"}),
    *((f"{command} --help", {"argparse"}, HEAVY) for command in COMMANDS),
    ("completion bash", {"shtab"}, HEAVY),
    ("metrics", {"prometheus_client"}, HEAVY - {"prometheus_client"} | {"theeye_exporter.demo"}),
    ("check --shard.count=none", {"requests"}, PAGES | {"theeye_exporter.demo"}),
    ("serve --shard.count=none", HEAVY, {"theeye_exporter.demo"}),
    ("demo --shard.count=none --demo.listen-address=127.0.0.1:0", HEAVY | {"theeye_exporter.demo"}, set()),
]
"""A command line, modules that it imports, and modules that it does not import."""


@pytest.mark.parametrize(("line", "needed", "spared"), IMPORTS, ids=[line for line, *_ in IMPORTS])
def test_a_command_imports_only_what_it_needs(line: str, needed: set[str], spared: set[str]) -> None:
    command = [sys.executable, "-c", _IMPORTED, *line.split()]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    imported = set(ended.stderr.split())
    assert needed - imported == set()
    assert spared & imported == set()
