"""Alerts of strangers: nothing outside the alphabet becomes an argument, and nothing is shown as it was sent."""

import json
import random
import string
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import requests

from processes import eventually, exporter_command
from receiving import acting_theeye, alert, configuration, decided, payload, posts, recorded_runs, samples, serving
from theeye_exporter.demo import SimulatedTheEye

ALPHABET: Final = string.ascii_letters + string.digits + "_.:/@=,+ -"
ODD: Final = (
    *("\n", "\r", "\t", "\0", "\x07", "\x08", "\x1b[31m", "\x7f", "\x85", "\u2028", "\u202e", "\ufeff", "🙂"),
    *("<script>alert(1)</script>", "&amp;", '"', "'", "`reboot`", "$(reboot)", "${IFS}", "; reboot", "| sh", "&& sh"),
    *("%PATH%", "^", "!", "*", "?", "~", "\\", "#", "{}", "[", "(", "\uff41", "\u00e9", "e\u0301", "\u037e"),
)
VALUES: Final = 10_000
CLEAN: Final = 100
A_REQUEST: Final = 1_000
ARGUMENT: Final = """arguments: [{source_labels: [instance]}]
    rate_limit: 9999/m
    max_concurrent: 100
    cooldown: 0s
    max_wait: 1h"""
WIDE: Final = """
  - name: wide
    task: restart
    mode: live
    matchers: [alertname="Wide"]
    arguments: [{source_labels: [instance], allow: '[a-z]+; reboot'}]
rate_limit: 9999/m
"""


@pytest.fixture
def theeye() -> Iterator[SimulatedTheEye]:
    with acting_theeye(arguments=1) as server:
        yield server


def hostile(chance: random.Random) -> str:
    """Return a value that is no argument, although it often looks almost like one."""
    value = "".join(chance.choices(ALPHABET, k=chance.choice((0, 1, 10, 60, 254))))
    match chance.randrange(20):
        case 0:
            return "-" + value
        case 1:
            return value.ljust(257, "a") if chance.random() < 0.9 else "a" * 10_000
        case 2:
            return ""
    for _ in range(chance.choice((1, 1, 3))):
        at = chance.choice((0, len(value), chance.randint(0, len(value))))
        value = value[:at] + chance.choice(ODD) + value[at:]
    return value


def ended_runs(url: str) -> float:
    """Return how many runs have ended; TheEye forgets how if many end at once."""
    return sum(value for name, value in samples(url).items() if name.startswith("theeye_action_runs_total/"))


def is_harmless(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


def test_of_ten_thousand_values_only_those_of_the_alphabet_become_arguments(
    theeye: SimulatedTheEye, tmp_path: Path
) -> None:
    chance = random.Random(1)  # noqa: S311 - chance, no secret
    clean = ["x" + "".join(chance.choices(ALPHABET, k=chance.choice((1, 30, 255)))) for _ in range(CLEAN)]
    values = [*clean, *(hostile(chance) for _ in range(VALUES - CLEAN))]
    chance.shuffle(values)
    file = configuration(theeye, tmp_path, ARGUMENT)
    file.write_text(file.read_text() + WIDE)
    decisions: Counter[str] = Counter()
    with recorded_runs(theeye) as runs, serving(file, tmp_path / "log") as url:
        start = datetime.now(UTC) + timedelta(seconds=1)
        for first in range(0, VALUES, A_REQUEST):
            alerts = [
                alert(start, instance=value, number=str(number))
                for number, value in enumerate(values[first : first + A_REQUEST], first)
            ]
            said = requests.post(f"{url}/api/v1/alerts/restart-nginx", json=payload(*alerts), timeout=120)
            assert is_harmless(said.text)
            decisions.update(one["decision"] for one in said.json()["decisions"])
        assert decisions == {"waiting": CLEAN, "bad_arguments": VALUES - CLEAN}
        eventually(lambda: ended_runs(url) == CLEAN, "all runs")
        assert Counter(runs) == Counter((value,) for value in clean)

        wide = [alert(start, instance=value) | {"labels": {"alertname": "Wide", "instance": value}} for value in ODD]
        wide.append(alert(start) | {"labels": {"alertname": "Wide", "instance": "web; reboot"}})
        assert requests.post(f"{url}/api/v1/alerts/wide", json=payload(*wide), timeout=30).ok
        eventually(lambda: len(runs) > CLEAN, "the run that `allow` allows")
        assert runs[CLEAN:] == [("web; reboot",)]

        page, metrics = (requests.get(f"{url}{path}", timeout=10).text for path in ("", "/metrics"))
        history = subprocess.run(
            exporter_command("actions", "history", f"--config.file={file}"), capture_output=True, text=True, check=True
        ).stdout
        for text in (page, metrics, history, (tmp_path / "log").read_text()):
            assert is_harmless(text)
        assert "bad_arguments" in page
        assert "<script>alert" not in page
        assert "reboot" not in metrics
        assert "x" * 20 not in metrics
        assert posts(theeye) == CLEAN + 1


@pytest.mark.parametrize(
    "odd", ["a\nb", 'a"b', "a'b", "🙂", "a" * 10_000, "\x1b[31m", "\0", "\u202e", "<b>", "{{7*7}}"]
)
def test_odd_labels_do_not_keep_an_alert_from_its_run(odd: str, tmp_path: Path) -> None:
    with acting_theeye() as theeye:
        file = configuration(theeye, tmp_path)
        with serving(file, tmp_path / "log") as url:
            start = datetime.now(UTC) + timedelta(seconds=1)
            sent = payload(alert(start, **{"instance": odd, odd: "as a name"}))
            assert decided(url, sent) == "waiting"
            eventually(lambda: samples(url)["theeye_action_runs_total/success"] == 1, "a run")
            assert decided(url, sent) == "duplicate"
            page = requests.get(url, timeout=5).text
            assert is_harmless(page)
            assert "<b>" not in page.partition("<main")[2]
            assert posts(theeye) == 1
        assert is_harmless((tmp_path / "log").read_text())


def test_the_largest_request_is_decided_alert_by_alert(tmp_path: Path) -> None:
    largest = 4 * 2**20
    with acting_theeye() as theeye:
        file = configuration(theeye, tmp_path, "mode: dry_run").read_text().replace("    mode: live\n", "")
        (tmp_path / "actions.yaml").write_text(file)
        with serving(tmp_path / "actions.yaml", tmp_path / "log") as url:
            start = datetime.now(UTC) + timedelta(seconds=1)
            alerts = [alert(start, instance=f"web-{number}") for number in range(1000)]
            for one in alerts:
                one["annotations"] = {"summary": "x" * 3_900}
            body = json.dumps(payload(*alerts, truncatedAlerts=9)).encode()
            body = body.ljust(largest)
            headers = {"Content-Type": "application/json"}
            address = f"{url}/api/v1/alerts/restart-nginx"
            said = requests.post(address, data=body, headers=headers, timeout=60)
            assert [one["decision"] for one in said.json()["decisions"]] == ["dry_run"] * 1000
            assert requests.post(address, data=body + b" ", headers=headers, timeout=60).status_code == 413
            values = samples(url)
            assert values["theeye_action_alerts_total/firing"] == values["theeye_action_open_episodes"] == 1000
            assert values["theeye_action_truncated_alerts_total"] == 9


def test_the_labels_tell_alerts_apart_and_no_fingerprint_does(tmp_path: Path) -> None:
    def with_fingerprint(fingerprint: Any, instance: str) -> dict[str, Any]:
        return payload(alert(start, instance=instance) | {"fingerprint": fingerprint})

    with acting_theeye() as theeye, serving(configuration(theeye, tmp_path), tmp_path / "log") as url:
        start = datetime.now(UTC) + timedelta(seconds=1)
        assert decided(url, with_fingerprint("a", "web-01")) == "waiting"
        assert decided(url, with_fingerprint("a", "web-02")) == "waiting"
        eventually(lambda: ended_runs(url) == 2, "two runs")
        for fingerprint in ("a", "b", "", None, 7):
            assert decided(url, with_fingerprint(fingerprint, "web-01")) == "duplicate"
        assert posts(theeye) == 2
