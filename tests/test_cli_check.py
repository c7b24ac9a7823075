"""Tests the output of `check`, its order, and how long it waits."""

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from contexts import POLLED
from playback import T0, TOKEN, Asked, Recording, Reply, http_server
from processes import DEADLINE
from proxy import PASSWORD, proxy_server
from theeye_exporter.cli import main
from theeye_exporter.collectors.registry import COLLECTORS
from theeye_exporter.demo import DemoSettings, SimulatedTheEye, parse_fault

OTHERS = [kind.name for kind in POLLED[1:]]
LISTS = [kind.name for kind in POLLED if kind.name != "server"]


@pytest.fixture
def theeye() -> Iterator[SimulatedTheEye]:
    with SimulatedTheEye(DemoSettings(monitors=20, tasks=4)) as theeye:
        yield theeye


def file_of(folder: Path, *organizations: str, rest: str = "") -> str:
    """Write a configuration file; returns the flag."""
    file = folder / "exporter.yml"
    file.write_text("organizations:\n" + "".join(f"  - {{{one}}}\n" for one in organizations) + rest)
    return f"--config.file={file}"


def demo(url: str, rest: str = "") -> str:
    return f"name: demo, url: '{url}', token: demo-integration-token{rest}"


def test_the_verdict_is_the_first_line_and_the_configuration_is_not_shown(
    theeye: SimulatedTheEye, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", file_of(tmp_path, demo(theeye.url))]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Everything works; a scrape would have ")
    assert "interval" not in out
    assert len(out.splitlines()) == 6 + len(POLLED)


def test_the_configuration_is_shown_on_request_after_everything_else(
    theeye: SimulatedTheEye, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--show-config", file_of(tmp_path, demo(theeye.url))]) == 0
    verdict, _, configuration = capsys.readouterr().out.partition("\nConfiguration:\n\n")
    assert verdict.startswith("Everything works")
    assert "\norganizations:\n- name: demo\n  token: <redacted>\n" in configuration


@pytest.mark.parametrize("show", [[], ["--show-config"]])
def test_only_the_configuration_is_checked_without_a_question_to_theeye(
    show: list[str], theeye: SimulatedTheEye, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--config-only", *show, file_of(tmp_path, demo(theeye.url))]) == 0
    out = capsys.readouterr().out
    assert out.startswith("The configuration is valid: 1 organisation.\n")
    assert ("max_age" in out) == bool(show)
    assert not theeye.requests


def test_mistakes_of_the_configuration_are_told_with_config_only_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--config-only", file_of(tmp_path, "name: demo")]) == 2
    assert "neither token nor token_file is given" in capsys.readouterr().err


def test_malformed_objects_are_a_problem(
    theeye: SimulatedTheEye, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theeye.faults = (parse_fault("monitors:malformed"),)
    assert main(["check", file_of(tmp_path, demo(theeye.url))]) == 1
    out = capsys.readouterr().out
    assert out.startswith("Something is wrong with 1 of 1 organisation.\n")
    assert f"problem: demo (monitors) at {theeye.url}: 2 objects of 20 skipped (malformed" in out
    assert "Everything works" not in out


def test_collectors_that_are_off_are_named(
    theeye: SimulatedTheEye, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", file_of(tmp_path, demo(theeye.url)), "--no-collector.jobs", "--no-collector.tasks"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("All enabled collectors work; a scrape would have ")
    assert "note: demo (tasks, jobs): disabled, not checked and not exported" in out


def test_no_enabled_collector_is_a_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    off = [f"--no-collector.{kind.name}" for kind in COLLECTORS]
    assert main(["check", file_of(tmp_path, "name: demo, token: x"), *off]) == 1
    out = capsys.readouterr().out
    assert out.startswith("Something is wrong with 1 of 1 organisation.\n")
    assert "problem: demo (all collectors): disabled; nothing would be exported" in out


def test_a_problem_of_many_organisations_is_printed_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    many = [f"name: number {number}, url: 'http://127.0.0.1:1', token: x{number}" for number in range(30)]
    assert main(["check", file_of(tmp_path, *many)]) == 1
    out = capsys.readouterr().out
    assert out.startswith("Something is wrong with 30 of 30 organisations.\n")
    assert out.count("connection refused") == 1
    assert "number 9 and 20 more (monitors) at http://127.0.0.1:1: " in out
    assert out.count("problem: ") == 2
    assert f"({', '.join(OTHERS)}) at http://127.0.0.1:1: not tried, because another collector had failed" in out


def test_a_server_that_hangs_is_waited_for_once(
    theeye: SimulatedTheEye, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theeye.faults = (parse_fault("hang"),)
    assert main(["check", file_of(tmp_path, demo(theeye.url, ", timeout: 1s"))]) == 1
    out = capsys.readouterr().out
    table = [line.split()[1:-1] for line in out.splitlines() if line.startswith("demo ")]
    assert [row[:2] for row in table] == [["monitors", "timeout"], *([name, "not"] for name in OTHERS)]
    # One that hangs is asked whose token it is, and nothing after that.
    assert len({asked.path for asked in theeye.requests}) == 1


@pytest.mark.parametrize("fault", [*(f"{name}:hang" for name in LISTS), "monitors:drip"])
def test_a_list_that_never_ends_is_waited_for_as_long_as_any_response(
    fault: str, theeye: SimulatedTheEye, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theeye.faults = (parse_fault(fault),)
    assert main(["check", file_of(tmp_path, demo(theeye.url, ", timeout: 1s"))]) == 1
    out = capsys.readouterr().out
    table = [line.split()[1:] for line in out.splitlines() if line.startswith("demo ")]
    (waited,) = [float(row[-1]) for row in table if row[1] == "timeout"]
    assert waited < DEADLINE  # the exporter itself would wait for minutes
    assert (
        "\nnote: demo (timeout): the check gave up. It waits for a list only as long as `timeout`, but the exporter waits for "
        "up to five minutes; if TheEye needs more time for its lists, set a longer `timeout` for the check\n"
    ) in out


def test_slow_errors_are_waited_for_once(
    theeye: SimulatedTheEye, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theeye.faults = (parse_fault("latency=700ms"), parse_fault("error=503"))
    assert main(["check", file_of(tmp_path, demo(theeye.url, ", timeout: 1s"))]) == 1
    out = capsys.readouterr().out
    assert f"({', '.join(OTHERS)}) at {theeye.url}: not tried, because another collector had failed" in out
    # The monitors are not blamed for the first list, which shows whose token it is.
    assert "; this was the list of jobs, which shows whose token this is; " in out
    assert {asked.path for asked in theeye.requests} == {"/demo/job"}


def test_what_the_token_sees_is_told(
    theeye: SimulatedTheEye, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theeye.faults = (parse_fault("hosts:forbidden"), parse_fault("tasks:empty"), parse_fault("workflows:error=500"))
    assert main(["check", file_of(tmp_path, demo(theeye.url))]) == 1
    out = capsys.readouterr().out
    told = next(line for line in out.splitlines() if line.startswith("access: "))
    assert told.startswith("access: demo: the token sees 20 monitors, 0 tasks, ")
    assert told.endswith(" webhooks, and may not read hosts")
    assert "workflow" not in told
    assert (
        f"\nwarning: demo at {theeye.url}: the token sees jobs, but no tasks, although jobs have tasks; a token below "
        "level admin sees only what is shared with its user"
    ) in out


def test_an_odd_list_is_a_warning_and_no_failure(
    theeye: SimulatedTheEye, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theeye.faults = (parse_fault("monitors:empty"), parse_fault("indicators:empty"))
    assert main(["check", file_of(tmp_path, demo(theeye.url))]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Everything works, with warnings; a scrape would have ")
    assert out.count("warning: ") == 1
    assert "the token sees hosts, but no monitors, although hosts have monitors" in out


def test_single_jobs_without_an_answer_are_a_warning(
    theeye: SimulatedTheEye, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theeye.faults = (parse_fault("job:hang"),)
    assert main(["check", file_of(tmp_path, demo(theeye.url, ", timeout: 1s"))]) == 0
    assert f"warning: demo at {theeye.url}: requests for single jobs get no answer: " in capsys.readouterr().out


def test_a_proxy_that_refuses_is_asked_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with proxy_server(refusal=403) as proxy:
        assert main(["check", file_of(tmp_path, demo("https://theeye.example", f", proxy_url: '{proxy.url}'"))]) == 1
    out = capsys.readouterr().out
    assert (
        f"problem: demo (monitors) at https://theeye.example: the proxy 127.0.0.1:{proxy.port} answered 403: it does not "
        "allow connections to theeye.example:443; check `proxy_url` or `HTTPS_PROXY`"
    ) in out
    assert PASSWORD not in out
    assert proxy.requests == ["CONNECT theeye.example:443"]


def test_organisations_are_asked_at_the_same_time(tmp_path: Path) -> None:
    together = threading.Barrier(3)
    met = []
    recording = Recording(T0)

    def answer(asked: Asked) -> Reply:
        if asked.path not in met:
            met.append(asked.path)
            if asked.path.startswith(("/a/", "/b/", "/c/")) and len(met) <= 3:
                together.wait(DEADLINE)
        return recording(asked)

    with http_server(answer) as server:
        names = [f"name: {name}, url: '{server.url}', token: {TOKEN}" for name in "abc"]
        main(["check", file_of(tmp_path, *names)])
    assert not together.broken
    assert len(met) >= 3


def test_only_some_organisations_are_checked_on_request(
    theeye: SimulatedTheEye, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    others = [f"name: other {number}, url: 'http://127.0.0.1:1', token: x" for number in range(3)]
    flag = file_of(tmp_path, *others, demo(theeye.url))
    assert main(["check", flag, "--organization", "demo"]) == 0
    assert "other" not in capsys.readouterr().out
    assert main(["check", flag, "--organization=demo", "--organization=other 1"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("Something is wrong with 1 of 2 organisations.\nResults: 1 unreachable, 1 ok.\n")
    assert main(["check", flag, "--organization=dmeo"]) == 2
    assert capsys.readouterr().err == (
        'theeye-exporter: error: command line: --organization: no organisation has the name "dmeo"; did you mean "demo"?\n'
    )


def test_of_many_organisations_the_table_shows_those_with_problems(
    theeye: SimulatedTheEye, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    off = ", collectors: {" + ", ".join(f"{name}: {{enabled: false}}" for name in OTHERS) + "}"
    bad = [f"name: bad {number}, url: 'http://127.0.0.1:1', token: x{off}" for number in range(21)]
    assert main(["check", file_of(tmp_path, *bad, demo(theeye.url, off))]) == 1
    out = capsys.readouterr().out
    assert out.startswith("Something is wrong with 21 of 22 organisations.\nResults: 21 unreachable, 1 ok.\n")
    assert [line for line in out.splitlines() if line.startswith("demo ")] == []
    assert sum(line.startswith("bad ") for line in out.splitlines()) == 21
    assert "\nNot shown: 1 organisation without problems. --organization NAME shows one.\n" in out


def test_hundreds_are_checked_by_a_bounded_number_of_threads(tmp_path: Path) -> None:
    most = 0

    def answer(asked: Asked) -> Reply:
        nonlocal most
        most = max(most, sum(thread.name.startswith("ThreadPoolExecutor") for thread in threading.enumerate()))
        return recording(asked)

    recording = Recording(T0)
    with http_server(answer) as server:
        names = [f"name: org-{number}, url: '{server.url}', token: {TOKEN}" for number in range(200)]
        main(["check", file_of(tmp_path, *names)])
    assert 2 <= most <= 32


class Terminal(io.StringIO):
    """A terminal that remembers what was written to it."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_how_far_it_is_and_then_only_the_result(
    theeye: SimulatedTheEye, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    main(["check", file_of(tmp_path, demo(theeye.url), "name: bad, url: 'http://127.0.0.1:1', token: x")])
    shown = terminal.getvalue().split("\r")
    assert shown[-1] == "\x1b[K"
    assert shown[-2] == "2 of 2 organisations checked, 1 with problems\x1b[K"
    assert "checked" not in capsys.readouterr().out


def test_nothing_is_shown_where_there_is_no_terminal(
    theeye: SimulatedTheEye, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["check", file_of(tmp_path, demo(theeye.url))])
    assert capsys.readouterr().err == ""


def test_a_bad_organization_file_is_a_mistake_for_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "one.yaml").write_text("name: one\ntoken: x\n")
    (tmp_path / "two.yaml").write_text("name: two\ntokn: x\n")
    flag = file_of(tmp_path, "name: zero, token: x", rest="organization_files: '*.yaml'\n")
    assert main(["check", "--config-only", flag]) == 2
    assert f'{tmp_path}/two.yaml:2: tokn: unknown key; did you mean "token"?' in capsys.readouterr().err
    (tmp_path / "two.yaml").unlink()
    assert main(["check", "--config-only", flag]) == 0
    assert capsys.readouterr().out == "The configuration is valid: 2 organisations.\n"
