"""`theeye-exporter actions` with an action, as a process: Alertmanager's webhook in, a run in the simulated TheEye out."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bcrypt
import pytest
import requests

from processes import eventually, exporter_command, free_port, running
from receiving import acting_theeye, alert, configuration, decided, payload, posts, samples, serving
from theeye_exporter.demo import SimulatedTheEye, parse_fault
from theeye_exporter.demo.results import Ending

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def theeye() -> Iterator[SimulatedTheEye]:
    with acting_theeye() as server:
        yield server


def test_an_alert_starts_one_run_over_kill_9_and_is_seen_to_its_end(theeye: SimulatedTheEye, tmp_path: Path) -> None:
    file = configuration(theeye, tmp_path)
    url = f"http://127.0.0.1:{free_port()}"
    command = exporter_command("actions", f"--config.file={file}", f"--web.listen-address={url[7:]}")
    address = f"{url}/api/v1/alerts/restart-nginx"
    ready = lambda: requests.get(f"{url}/-/ready", timeout=5).status_code == 200  # noqa: E731 - short
    with running(command, tmp_path / "log") as process:
        eventually(ready, "readiness")
        start = datetime.now(UTC) + timedelta(seconds=1)
        said = requests.post(address, json=payload(alert(start, instance="web-01")), timeout=10)
        assert (said.status_code, said.json()["decisions"][0]["decision"]) == (200, "waiting")
        eventually(lambda: samples(url)["theeye_action_runs_total/success"] == 1, "a run")
        process.send_signal(signal.SIGKILL)
        process.wait()
    log = (tmp_path / "log").read_text()
    started, ended = (line for line in log.splitlines() if "run started" in line or "run ended" in line)
    for line in (started, ended):
        assert re.search(r"job=[0-9a-f]{24}", line)
        assert "action=restart-nginx" in line
        assert "Down{instance='web-01'}" in line
    assert "outcome=success" in ended
    assert theeye.settings.user_token not in log
    with running(command, tmp_path / "log2"):
        eventually(ready, "readiness")
        again = requests.post(address, json=payload(alert(start, instance="web-01")), timeout=10)
        assert again.json()["decisions"][0] == {
            "alert": "Down{instance='web-01'}",
            "decision": "duplicate",
            "why": "the alert has already had its run in this episode",
        }
        values = samples(url)
        assert values["theeye_action_runs_total/success"] == 1
        assert values["theeye_action_decisions_total/started"] == 1
        assert values["theeye_action_decisions_total/duplicate"] == 1
        assert values["theeye_action_open_episodes"] == 1
        assert values["theeye_action_last_outcome/success"] == 1
        assert posts(theeye) == 1
        told = subprocess.run(
            exporter_command("actions", "history", f"--config.file={file}"), capture_output=True, text=True, check=True
        ).stdout
        assert [line.split()[3:5] for line in told.splitlines() if "success" in line] == [["restart-nginx", "success"]]
        alone = exporter_command("actions", "history", f"--state.file={tmp_path / 'state'}")
        assert subprocess.run(alone, capture_output=True, text=True, check=True).stdout == told
        assert "duplicate  Down{instance='web-01'}  the alert has already had its run in this episode" in told
        page = requests.get(url, timeout=5).text
        for words in ("The action works", "restart-nginx", "Last decisions", "Down{instance=&#39;web-01&#39;}"):
            assert words in page


def test_after_sigterm_there_is_one_file_to_copy(theeye: SimulatedTheEye, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    file = configuration(theeye, tmp_path / "folder")
    url = f"http://127.0.0.1:{free_port()}"
    command = exporter_command("actions", f"--config.file={file}", f"--web.listen-address={url[7:]}")
    with running(command, tmp_path / "log") as process:
        eventually(lambda: requests.get(f"{url}/-/ready", timeout=5).ok, "readiness")
        start = datetime.now(UTC) + timedelta(seconds=1)
        requests.post(f"{url}/api/v1/alerts/restart-nginx", json=payload(alert(start)), timeout=10)
        eventually(lambda: samples(url)["theeye_action_runs_total/success"] == 1, "a run")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert {found.name for found in file.parent.iterdir()} == {"actions.yaml", "state"}
    assert "level=error" not in (tmp_path / "log").read_text()
    told = subprocess.run(
        exporter_command("actions", "history", f"--config.file={file}"), capture_output=True, text=True, check=True
    )
    assert "success" in told.stdout


def test_a_run_is_followed_by_a_new_process_in_which_its_action_has_another_name(
    theeye: SimulatedTheEye, tmp_path: Path
) -> None:
    theeye.world.tasks["6a30f0c1a2b3c4d5e6f70809"].ends = (Ending("success", 300.0), None)
    file = configuration(theeye, tmp_path)
    url = f"http://127.0.0.1:{free_port()}"
    command = exporter_command("actions", f"--config.file={file}", f"--web.listen-address={url[7:]}")
    ready = lambda: requests.get(f"{url}/-/ready", timeout=5).status_code == 200  # noqa: E731 - short
    with running(command, tmp_path / "log") as process:
        eventually(ready, "readiness")
        firing = payload(alert(datetime.now(UTC) + timedelta(seconds=1), instance="web-01"))
        requests.post(f"{url}/api/v1/alerts/restart-nginx", json=firing, timeout=10)
        eventually(lambda: samples(url)["theeye_action_open_runs/running"] == 1, "a run")
        process.send_signal(signal.SIGKILL)
        process.wait()
    file.write_text(file.read_text().replace("restart-nginx", "renamed"))
    with running(command, tmp_path / "log2"):
        eventually(ready, "readiness")
        said = requests.post(f"{url}/api/v1/alerts/renamed", json=firing, timeout=10).json()["decisions"][0]
        assert (said["decision"], said["why"]) == (
            "already_firing",
            "the alert was already firing when the action was added",
        )
        assert samples(url, "renamed")["theeye_action_decisions_total/already_firing"] == 1
        eventually(lambda: "run ended" in (tmp_path / "log2").read_text(), "its end")
    (ended,) = (line for line in (tmp_path / "log2").read_text().splitlines() if "run ended" in line)
    assert "action=restart-nginx" in ended
    assert "outcome=success" in ended
    assert posts(theeye) == 1


def test_what_is_refused(theeye: SimulatedTheEye, tmp_path: Path) -> None:
    file = configuration(theeye, tmp_path)
    url = f"http://127.0.0.1:{free_port()}"
    address = f"{url}/api/v1/alerts/restart-nginx"
    now = datetime.now(UTC) + timedelta(seconds=1)
    with running(
        exporter_command("actions", f"--config.file={file}", f"--web.listen-address={url[7:]}"), tmp_path / "log"
    ):
        eventually(lambda: requests.get(f"{url}/-/ready", timeout=5).ok, "readiness")

        def code(body: bytes | str, headers: dict[str, str] | None = None, to: str = address) -> int:
            return requests.post(to, data=body, headers=JSON if headers is None else headers, timeout=20).status_code

        assert code("{") == 400
        assert code("[]") == 400
        assert code('{"version": "5", "alerts": []}') == 400
        assert code('{"version": "4"}') == 400
        assert code(b'{"version": "4", "alerts": [\xff]}') == 400
        assert code("{}", {"Content-Type": "text/plain"}) == 415
        assert code("{}", JSON | {"Origin": "http://other.example"}) == 403
        rebound = {"Origin": "http://other.example", "Host": "other.example"}
        assert code("{}", JSON | rebound) == code("", rebound, f"{url}/-/resume/restart-nginx") == 403
        assert code("{}", to=f"{url}/api/v1/alerts/other") == 404
        assert code(b"0" * (4 * 2**20 + 1)) == 413
        assert requests.get(address, timeout=5).status_code == 405
        assert requests.get(f"{url}/-/resume/restart-nginx", timeout=5).status_code == 405

        odd = [
            7,
            {},
            {"labels": {}},
            {"labels": {"alertname": 1}, "status": "firing"},
            alert(now) | {"status": "pending"},
            alert(now) | {"startsAt": "yesterday"},
            alert(now) | {"startsAt": "2026-01-01T00:00:00"},
            alert(now + timedelta(hours=1)),
            alert(now) | {"status": "resolved"},
        ]
        said = requests.post(address, json=payload(*odd, truncatedAlerts=3), timeout=10)  # type: ignore[arg-type]
        assert [one["decision"] for one in said.json()["decisions"]] == ["bad_alert"] * 9
        old = requests.post(address, json=payload(alert(now - timedelta(hours=1))), timeout=10)
        assert old.json()["decisions"][0]["decision"] == "stale"
        values = samples(url)
        assert values["theeye_action_truncated_alerts_total"] == 3
        assert values["theeye_action_alerts_total/bad"] == 9
        assert values["theeye_action_requests_total/400"] == 5
        assert posts(theeye) == 0


def test_hostile_labels_of_a_run_are_harmless_in_the_log(theeye: SimulatedTheEye, tmp_path: Path) -> None:
    with serving(configuration(theeye, tmp_path), tmp_path / "log") as url:
        start = datetime.now(UTC) + timedelta(seconds=1)
        assert decided(url, payload(alert(start, instance="\x1b[31m\nrun ended\u202e" + "x" * 10_000))) == "waiting"
        eventually(lambda: samples(url)["theeye_action_runs_total/success"] == 1, "a run")
        eventually(lambda: "run ended" in (tmp_path / "log").read_text(), "its line in the log")
    lines = [line for line in (tmp_path / "log").read_text().split("\n") if "Down{" in line]
    assert ["run started" in lines[0], "run ended" in lines[1]] == [True, True]
    assert len(lines) == 2
    assert all(line.isprintable() and len(line) < 1000 for line in lines)


def test_a_thousand_hostile_alerts_reach_no_page_or_log_as_they_are(theeye: SimulatedTheEye, tmp_path: Path) -> None:
    file = configuration(theeye, tmp_path, "arguments: [{source_labels: [instance]}]")
    url = f"http://127.0.0.1:{free_port()}"
    evil = '\x1b[31m\n"><script>alert(1)</script>\u202e🙂' + "x" * 1000
    with running(
        exporter_command("actions", f"--config.file={file}", f"--web.listen-address={url[7:]}"), tmp_path / "log"
    ):
        eventually(lambda: requests.get(f"{url}/-/ready", timeout=5).ok, "readiness")
        start = datetime.now(UTC) + timedelta(seconds=1)
        alerts = [alert(start, instance=f"{evil}{number}") for number in range(1000)]
        said = requests.post(f"{url}/api/v1/alerts/restart-nginx", json=payload(*alerts), timeout=30)
        assert {one["decision"] for one in said.json()["decisions"]} == {"bad_arguments"}
        page = requests.get(url, timeout=5).text
        assert "bad_arguments" in page
        assert "<script>alert" not in page
        assert "\x1b" not in page + (tmp_path / "log").read_text() + requests.get(f"{url}/metrics", timeout=5).text
        assert posts(theeye) == 0


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            ("state: {file: state}", ""),
            "missing; actions need a state file: without it, the process could start a run again after a restart",
        ),
        (("127.0.0.1", "0.0.0.0"), "could start runs"),  # noqa: S104 - refused
    ],
)
def test_what_it_does_not_start_with(
    theeye: SimulatedTheEye, tmp_path: Path, change: tuple[str, str], expected: str
) -> None:
    file = configuration(theeye, tmp_path)
    file.write_text(file.read_text().replace(*change) if change[0].startswith("state") else file.read_text())
    address = f"127.0.0.1:{free_port()}".replace(*change)
    with running(
        exporter_command("actions", f"--config.file={file}", f"--web.listen-address={address}"), tmp_path / "log"
    ) as process:
        assert process.wait(60) == 2
    assert expected in (tmp_path / "log").read_text()


def test_what_would_be_decided_about_a_payload(theeye: SimulatedTheEye, tmp_path: Path) -> None:
    file = configuration(theeye, tmp_path, "arguments: [{source_labels: [instance], regex: '([a-z0-9-]+):[0-9]+'}]")
    now = datetime.now(UTC)
    sent = tmp_path / "payload.json"
    alerts = (alert(now, instance="web-01:80"), alert(now, instance="$(reboot)"), alert(now) | {"labels": {"a": "b"}})
    sent.write_text(json.dumps(payload(*alerts)))
    command = exporter_command("actions", "test", str(sent), f"--config.file={file}")
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert [line.split()[:2] for line in told.splitlines()] == [
        ["action", "decision"],
        ["restart-nginx", "waiting"],
        ["restart-nginx", "bad_arguments"],
        ["restart-nginx", "not_matched"],
    ]
    assert "argument 1: the value of instance does not match ([a-z0-9-]+):[0-9]+" in told
    assert not (tmp_path / "state").exists()
    assert posts(theeye) == 0


def test_nothing_is_decided_or_started_while_the_state_file_cannot_be_written(
    theeye: SimulatedTheEye, tmp_path: Path
) -> None:
    state, aside = tmp_path / "state", tmp_path / "aside"
    with serving(configuration(theeye, tmp_path), tmp_path / "log") as url:
        sent = payload(alert(datetime.now(UTC) + timedelta(seconds=1), instance="web-01"))
        state.rename(aside)
        state.write_text("another program's")
        for path in ("api/v1/alerts/restart-nginx", "-/resume/restart-nginx"):
            said = requests.post(f"{url}/{path}", json=sent, timeout=10)
            assert (said.status_code, said.text) == (503, "the state file cannot be written; nothing has changed\n")
        values = samples(url)
        assert values["theeye_action_requests_total/503"] == 2
        assert values["theeye_action_decisions_total/waiting"] == values["theeye_action_open_episodes"] == 0
        aside.rename(state)
        assert decided(url, sent) == "waiting"
        eventually(lambda: samples(url)["theeye_action_runs_total/success"] == 1, "a run")
        assert posts(theeye) == 1
    assert "another file was put in the place of state file" in (tmp_path / "log").read_text()


def test_without_the_password_nothing_is_decided_or_resumed(theeye: SimulatedTheEye, tmp_path: Path) -> None:
    web = tmp_path / "web.yml"
    web.write_text(f"basic_auth_users: {{alertmanager: {bcrypt.hashpw(b'right', bcrypt.gensalt(4)).decode()}}}\n")
    right = ("alertmanager", "right")
    with serving(configuration(theeye, tmp_path), tmp_path / "log", f"--web.config.file={web}", auth=right) as url:
        sent = payload(alert(datetime.now(UTC) + timedelta(seconds=1)))
        for path in ("api/v1/alerts/restart-nginx", "api/v1/alerts/other", "-/resume/restart-nginx"):
            for auth in (None, ("alertmanager", "wrong"), ("other", "right")):
                assert requests.post(f"{url}/{path}", json=sent, auth=auth, timeout=10).status_code == 401
        assert posts(theeye) == 0
        said = requests.post(f"{url}/api/v1/alerts/restart-nginx", json=sent, auth=right, timeout=10)
        assert said.json()["decisions"][0]["decision"] == "waiting"
        eventually(lambda: posts(theeye) == 1, "a run")


def test_passwords_that_vanish_stay_in_effect_beyond_loopback(theeye: SimulatedTheEye, tmp_path: Path) -> None:
    web = tmp_path / "web.yml"
    web.write_text(f"basic_auth_users: {{alertmanager: {bcrypt.hashpw(b'right', bcrypt.gensalt(4)).decode()}}}\n")
    url = f"http://127.0.0.1:{free_port()}"
    command = exporter_command(
        "actions",
        f"--config.file={configuration(theeye, tmp_path)}",
        f"--web.config.file={web}",
        f"--web.listen-address=:{url.rpartition(':')[2]}",
    )
    right = ("alertmanager", "right")
    with running(command, tmp_path / "log"):
        eventually(lambda: requests.get(f"{url}/-/ready", timeout=5, auth=right).ok, "readiness")
        web.write_text("{}")
        for path in ("api/v1/alerts/restart-nginx", "-/resume/restart-nginx", "metrics"):
            assert requests.post(f"{url}/{path}", json={}, timeout=10).status_code == 401
        text = requests.get(f"{url}/metrics", timeout=5, auth=right).text
        assert "theeye_exporter_web_config_last_reload_successful 0" in text
    assert (tmp_path / "log").read_text().count("whoever reaches the port could start runs") == 1


def test_a_suspension_is_ended_by_a_request_and_not_by_a_reload(theeye: SimulatedTheEye, tmp_path: Path) -> None:
    theeye.world.tasks["6a30f0c1a2b3c4d5e6f70809"].ends = (Ending("failure", 1.5), None)
    file = configuration(theeye, tmp_path, "suspend_after_failures: 1")
    with serving(file, tmp_path / "log", "--web.enable-lifecycle") as url:
        start = datetime.now(UTC) + timedelta(seconds=1)
        first, second = payload(alert(start, instance="one")), payload(alert(start, instance="two"))
        assert decided(url, first) == "waiting"
        eventually(lambda: samples(url)["theeye_action_suspended"] == 1, "the suspension")
        configuration(theeye, tmp_path, "suspend_after_failures: 1\n    timeout: 5m")
        assert requests.post(f"{url}/-/reload", timeout=10).text == "reloaded\n"
        assert decided(url, second) == "suspended"
        assert requests.post(f"{url}/-/resume/other", timeout=10).status_code == 404
        assert decided(url, second) == "suspended"
        assert requests.post(f"{url}/-/resume/restart-nginx", timeout=10).text == "resumed\n"
        assert samples(url)["theeye_action_suspended"] == 0
        assert requests.post(f"{url}/-/resume/restart-nginx", timeout=10).text == "the action was not suspended\n"
        assert decided(url, second) == "waiting"
        eventually(lambda: samples(url)["theeye_action_runs_total/failure"] == 2, "a second run")


def test_a_reload_changes_adds_and_removes_actions(theeye: SimulatedTheEye, tmp_path: Path) -> None:
    file = configuration(theeye, tmp_path)
    live = file.read_text()
    file.write_text(live.replace("mode: live", "mode: dry_run"))
    with serving(file, tmp_path / "log", "--web.enable-lifecycle") as url:
        sent = payload(alert(datetime.now(UTC) + timedelta(seconds=1)))
        assert decided(url, sent) == "dry_run"
        file.write_text(live)
        assert requests.post(f"{url}/-/reload", timeout=10).text == "reloaded\n"
        assert decided(url, sent) == "waiting"
        eventually(lambda: samples(url)["theeye_action_runs_total/success"] == 1, "a run")
        file.write_text(live + live[live.index("  - name") :].replace("restart-nginx", "other").replace("Down", "Up"))
        assert requests.post(f"{url}/-/reload", timeout=10).text == "reloaded\n"
        assert requests.post(f"{url}/api/v1/alerts/other", json=sent, timeout=10).ok
        assert decided(url, sent) == "duplicate"
        file.write_text(live.replace("restart-nginx", "other"))
        assert requests.post(f"{url}/-/reload", timeout=10).text == "reloaded\n"
        assert requests.post(f"{url}/api/v1/alerts/restart-nginx", json=sent, timeout=10).status_code == 404
        file.write_text(live)
        assert requests.post(f"{url}/-/reload", timeout=10).text == "reloaded\n"
        assert decided(url, sent) == "duplicate"
        assert posts(theeye) == 1


@pytest.mark.parametrize("ending", ["reload", "SIGTERM"])
def test_a_pass_over_many_starts_is_left_while_theeye_is_silent(
    theeye: SimulatedTheEye, tmp_path: Path, ending: str
) -> None:
    limits = "max_concurrent: 100\n    rate_limit: 100/h"
    file = configuration(theeye, tmp_path, limits)
    file.write_text(f"{file.read_text().replace('theeye: {', 'theeye: {timeout: 1s, ')}\nrate_limit: 100/h\n")
    url = f"http://127.0.0.1:{free_port()}"
    command = exporter_command(
        "actions", f"--config.file={file}", f"--web.listen-address={url[7:]}", "--web.enable-lifecycle"
    )
    with running(command, tmp_path / "log") as process:
        eventually(lambda: requests.get(f"{url}/-/ready", timeout=5).ok, "readiness")
        theeye.faults = (parse_fault("hang"),)
        start = datetime.now(UTC) + timedelta(seconds=1)
        alerts = payload(*(alert(start, instance=f"web-{number}") for number in range(60)))
        assert requests.post(f"{url}/api/v1/alerts/restart-nginx", json=alerts, timeout=30).ok
        before = len(theeye.requests)
        eventually(lambda: len(theeye.requests) > before, "a request")
        if ending == "reload":
            configuration(theeye, tmp_path, limits)
            assert requests.post(f"{url}/-/reload", timeout=60).text == "reloaded\n"
        else:
            process.terminate()
            assert process.wait(60) == 0
        assert len(theeye.requests) - before < 30


def test_a_reload_that_fails_lets_the_work_go_on(theeye: SimulatedTheEye, tmp_path: Path) -> None:
    state, aside = tmp_path / "state", tmp_path / "aside"
    with serving(configuration(theeye, tmp_path), tmp_path / "log", "--web.enable-lifecycle") as url:
        start = datetime.now(UTC) + timedelta(seconds=1)
        file = configuration(theeye, tmp_path, "timeout: 5m")
        file.write_text(file.read_text().replace("restart-nginx", "renamed"))  # which is noted in the state file
        state.rename(aside)
        state.write_text("another program's")
        said = requests.post(f"{url}/-/reload", timeout=10)
        assert (said.status_code, "another file was put in the place" in said.text) == (500, True)
        aside.rename(state)
        assert decided(url, payload(alert(start, instance="web-01"))) == "waiting"
        eventually(lambda: samples(url)["theeye_action_runs_total/success"] == 1, "a run")


def test_a_reload_with_the_first_action_is_refused(theeye: SimulatedTheEye, tmp_path: Path) -> None:
    file = configuration(theeye, tmp_path)
    actions = file.read_text()
    before, canary = actions[: actions.index("actions:")], "canaries: [{name: one, task: restart}]\n"
    file.write_text(before + canary)
    with serving(file, tmp_path / "log", "--web.enable-lifecycle") as url:
        file.write_text(actions)
        said = requests.post(f"{url}/-/reload", timeout=10)
        assert said.status_code == 500
        assert "actions: the process was started without actions, and cannot receive alerts; restart" in said.text
        metrics = requests.get(f"{url}/metrics", timeout=5).text
        assert "theeye_exporter_config_last_reload_successful 0" in metrics
        assert (
            'theeye_canary_interval_seconds{organization="demo",canary="one"' in metrics
        )  # the old one stays in effect
        file.write_text(before + canary)
        assert requests.post(f"{url}/-/reload", timeout=10).text == "reloaded\n"


def check(file: Path) -> tuple[int, str]:
    command = exporter_command("actions", "check", f"--config.file={file}")
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in ran.stderr
    return ran.returncode, ran.stdout


def test_check_finds_what_actions_can_start(theeye: SimulatedTheEye, tmp_path: Path) -> None:
    hostname = "hostname_from: {source_labels: [instance]}"
    for more in ("", hostname):
        code, told = check(configuration(theeye, tmp_path, more))
        assert code == 0, told
        assert told.splitlines()[1].split()[:4] == ["demo", "action", "restart-nginx", "ok"]
        assert "task restart@" in told
    assert not (tmp_path / "state").exists()
    assert posts(theeye) == 0


@pytest.mark.parametrize(
    ("given", "instead", "expected"),
    [
        ("task: restart", "task: nothing", "this token sees no task 'nothing' in organisation"),
        (
            "mode: live",
            "hostname_from: {source_labels: [a]}\n    arguments: [{value: x}]",
            "has 0 arguments, but 1 value is given",
        ),
        (
            "actions:",
            "canaries: [{name: one, task: 6a30f0c1a2b3c4d5e6f70809}]\nactions:",
            "canary one starts it, too; give the action a task of its own",
        ),
    ],
)
def test_check_says_which_action_cannot_start(
    theeye: SimulatedTheEye, tmp_path: Path, given: str, instead: str, expected: str
) -> None:
    file = configuration(theeye, tmp_path)
    file.write_text(file.read_text().replace(given, instead, 1))
    code, told = check(file)
    assert (code, expected in told) == (1, True), told
    assert "1 of " in told


def test_check_says_that_the_state_file_is_damaged(theeye: SimulatedTheEye, tmp_path: Path) -> None:
    file = configuration(theeye, tmp_path)
    (tmp_path / "state").write_bytes(b"no database" * 100)
    code, told = check(file)
    assert code == 1
    assert f"{tmp_path / 'state'}" in told
    assert (tmp_path / "state").read_bytes() == b"no database" * 100


def test_check_works_while_the_process_does(theeye: SimulatedTheEye, tmp_path: Path) -> None:
    file = configuration(theeye, tmp_path)
    with serving(file, tmp_path / "log"):
        assert check(file)[0] == 0
