"""Tests the script of `helm test` with exporters and fake servers."""

import runpy
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chart.cases import CASES
from chart.releases import CHART, Helm
from playback import Asked, Reply, http_server
from processes import free_port, running

SCRIPT = CHART / "files/helm_test.py"
main: Callable[[list[str]], int] = runpy.run_path(str(SCRIPT))["main"]

GOOD = 'theeye_exporter_build_info{version="1"} 1\ntheeye_up{organization="acme"} 1.0\n'
Answers = dict[str, tuple[int, str]]


@contextmanager
def serving(answers: Answers) -> Iterator[str]:
    def answer(asked: Asked) -> Reply:
        status, body = answers.get(asked.path, (404, ""))
        return Reply(body.encode(), status)

    with http_server(answer) as server:
        yield server.url


def said(answers: Answers, capsys: pytest.CaptureFixture[str], *flags: str) -> tuple[int, str]:
    with serving(answers) as url:
        code = main(["--seconds=0", *flags, url])
        return code, capsys.readouterr().out.replace(url, "URL")


def test_a_real_exporter_is_well(newest_helm: Helm, tmp_path: Path) -> None:
    port = free_port()
    exporter = [sys.executable, "-m", "theeye_exporter", "demo", f"--web.listen-address=127.0.0.1:{port}"]
    (container,) = newest_helm.template(CASES["demo"]).one("Pod")["spec"]["containers"]
    program = [sys.executable, *container["command"][1:], *container["args"][:-1]]
    with (
        running([*exporter, "--demo.listen-address=127.0.0.1:0"], tmp_path / "exporter.log"),
        running([*program, f"http://127.0.0.1:{port}"], tmp_path / "test.log") as test,
    ):
        assert test.wait(180) == 0
    output = (tmp_path / "test.log").read_text()
    assert output.startswith(f"ok http://127.0.0.1:{port}: ready, ")


def test_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    code, output = said({"/-/ready": (200, ""), "/theeye": (200, GOOD)}, capsys, "--path=/theeye")
    assert (code, output) == (0, "ok URL: ready, 2 samples\n")


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"/-/ready": (503, "")}, "answers 503 Service Unavailable, expected 200"),
        ({"/-/ready": (200, "")}, "answers 404 Not Found, expected 200"),
        ({"/-/ready": (200, ""), "/metrics": (200, "up 1\n")}, "the metrics are not those of theeye-exporter"),
        (
            {"/-/ready": (200, ""), "/metrics": (200, GOOD + 'theeye_up{organization="Größe"} 0.0\n')},
            "theeye_up is 0 for Größe; the log of the exporter says why",
        ),
    ],
)
def test_what_is_not_well_is_said(answers: Answers, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(answers, capsys) == (1, f"FAILED URL: {message}\n")


def test_one_of_several_is_not_well(capsys: pytest.CaptureFixture[str]) -> None:
    with serving({"/-/ready": (200, ""), "/metrics": (200, GOOD)}) as well:
        assert main(["--seconds=0", well, f"http://127.0.0.1:{free_port()}"]) == 1
    good, bad = capsys.readouterr().out.splitlines()
    assert good.startswith("ok ")
    assert bad.startswith("FAILED ")
    assert "Connection refused" in bad


def test_strangers_have_to_be_turned_away(capsys: pytest.CaptureFixture[str]) -> None:
    assert said({"/-/ready": (401, "")}, capsys, "--auth=basic") == (0, "ok URL: asks for a user\n")
    code, output = said({"/-/ready": (200, "")}, capsys, "--auth=basic")
    assert (code, output) == (1, "FAILED URL: answers 200 OK, expected 401\n")


def test_a_client_certificate_cannot_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    code, output = said({}, capsys, "--auth=certificate")
    assert (code, output.partition(";")[0]) == (0, "ok URL: accepts connections")


def test_plain_text_where_tls_should_be_is_not_well(capsys: pytest.CaptureFixture[str]) -> None:
    with serving({"/-/ready": (200, "")}) as url:
        assert main(["--seconds=0", url.replace("http:", "https:")]) == 1
    assert "FAILED" in capsys.readouterr().out


def test_each_pod_of_a_stateful_set_is_asked(newest_helm: Helm) -> None:
    (container,) = newest_helm.template(CASES["everything"]).one("Pod")["spec"]["containers"]
    assert container["args"] == [
        "--auth=basic",
        "--path=/theeye",
        *(f"https://acme-theeye-exporter-{n}.acme-theeye-exporter-headless:9855" for n in range(3)),
    ]


def test_other_exporters_are_asked_through_their_service(newest_helm: Helm) -> None:
    release = newest_helm.template(CASES["tls"] | {"service": {"port": 443}})
    (container,) = release.one("Pod")["spec"]["containers"]
    assert container["args"] == ["--auth=none", "--path=/metrics", "https://acme-theeye-exporter:443"]
    assert release.one("Service")["spec"]["ports"][0]["port"] == 443
