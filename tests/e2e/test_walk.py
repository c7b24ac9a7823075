"""A newcomer types the commands of the documents, as they stand there, on a bare Debian.

What needs systemd, containers, a cluster or TheEye itself is not typed: `NOT_HERE` says which other test has it.
"""

import json
import re
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import bcrypt
import pytest
import yaml

from documents import code_blocks, document
from theeye_exporter import __version__
from theeye_exporter.demo import DemoSettings, SimulatedTheEye
from theeye_exporter.demo.results import Ending
from theeye_exporter.demo.tasks import Task
from trees import HOME, Tree, tree_with

pytestmark = pytest.mark.e2e

NOT_HERE: Final = {
    r"sudo systemctl |sudo journalctl ": "tests/test_install.py has the units, and runs what they start",
    r"docker |make image|cp env.example|echo ACTIONS": "tests/image and tests/test_compose.py",
    r"curl .*app\.theeye\.io": "tests/test_install.py logs in",
    r"make dist": "tests/release/test_dist.py",
}
"""Commands that are not typed, and who tests them instead."""

PASSWORD: Final = "right"


class Page:
    """The commands of a document that have not been typed yet."""

    def __init__(self, name: str) -> None:
        in_lists = re.compile("^ +```.*?^ +```$", re.MULTILINE | re.DOTALL)
        self.text = in_lists.sub(lambda block: textwrap.dedent(block[0]), document(f"docs/{name}.md"))
        self.left = [line for block in code_blocks(self.text, "sh") for line in _lines(block)]

    def take(self, start: str) -> str:
        """Return the next command that begins so; a password that it asks for is given."""
        command = next(line for line in self.left if line.startswith(start))
        self.left.remove(command)
        return re.sub(r"-u \w+", rf"\g<0>:{PASSWORD}", command)

    def rows(self, way: str) -> list[str]:
        """Return the commands of a way of installing in tables."""
        return re.findall(rf"^\| {way} \| `([^`|]* (?:check|install) ?[^`|]*)`", self.text, re.MULTILINE)

    def file(self, name: str) -> str:
        """Return the example of a file."""
        (found,) = [text for text in code_blocks(self.text, "yaml") if text.startswith(f"# {name}\n")]
        return found

    def finish(self) -> None:
        """All has been typed, or is tested elsewhere."""
        assert [line for line in self.left if not re.match("|".join(NOT_HERE), line)] == []


def _lines(block: str) -> list[str]:
    whole = re.sub(r"(\\|(?<=\||&))\n\s*", " ", re.sub(r" +# .*$|^#.*$", "", block, flags=re.MULTILINE))
    return [line for line in whole.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def tree() -> Iterator[Tree]:
    with tree_with("python3", "python3-venv", "make", "curl", "pipx") as made:
        yield made


@pytest.fixture
def theeye(tree: Tree) -> Iterator[SimulatedTheEye]:
    """A TheEye that the tree reaches, with the tasks of the documents."""
    theeye = SimulatedTheEye(DemoSettings(organization="acme", monitors=10, tasks=24, speed=50.0, calm=True))
    host = next(host for host in theeye.world.hosts.values() if host.hostname == "web-01")
    for number, (name, arguments) in enumerate({"canary": (), "restart nginx": ("host",), "deploy": ()}.items()):
        task = Task(f"6a30f0c1a2b3c4d5e6f7080{number}", name, "script", host, theeye.world.now_ms - 1000)
        task.script_id, task.secret = "6a30f0c1a2b3c4d5e6f7081a", str(number) * 64
        task.ends = (Ending("success", 1.0), None)
        task.arguments = tuple(
            {"order": n, "label": label, "type": "input", "id": n} for n, label in enumerate(arguments)
        )
        theeye.world.add_task(task)
    with tree.inside():
        theeye.start()
    yield theeye
    with tree.inside():
        theeye.stop()


def write(tree: Tree, name: str, text: str) -> None:
    (tree.root / HOME[1:] / name).write_text(text)


def test_all_that_can_be_typed_works(tree: Tree, theeye: SimulatedTheEye) -> None:
    install, no_data, upgrading = Page("install"), Page("no-data"), Page("upgrading")
    tree.type(install.take("install -m 600 /dev/null token.txt"))
    tree.type(install.take("cat > token.txt"), stdin=f"{theeye.settings.token}\n")
    tree.variables["THEEYE_SUPERVISOR_URL"] = theeye.url
    exported = install.take("export ")
    assert exported == install.take("export ")
    for start in ("pipx install", "sudo python3 -m venv", "sudo /opt/theeye-exporter/bin/pip"):
        tree.type(install.take(start), online=True)
    assert __version__ in tree.type(install.take("theeye-exporter version"))
    for start in ("sudo install -D -m 600 token.txt", "sudo chown", "sudo chown"):
        tree.type(install.take(start))
    for command in (install.take("theeye-exporter check"), install.rows("pipx")[0], install.rows("systemd")[0]):
        assert "Everything works" in tree.type(f"{exported}; {command}")
    ready = install.take("curl -sS --retry")
    with tree.running(f"env {exported.removeprefix('export ')} {install.take('theeye-exporter')}"):
        tree.type(ready)
        look_for_what_is_missing(tree, no_data)
    keep_the_state(tree, upgrading, f"env {exported.removeprefix('export ')} theeye-exporter", ready)
    start_tasks(tree, theeye, install)
    start_from_the_clone(tree, install, exported, ready)
    for page in (install, no_data, upgrading):
        page.finish()


def look_for_what_is_missing(tree: Tree, page: Page) -> None:
    metrics = tree.type("curl -s localhost:9855/metrics")
    host = re.search(r'^theeye_monitor_state\{.*hostname="([^"]+)"', metrics, re.MULTILINE)
    assert host
    for command in list(page.left):
        typed = page.take(command).replace("ORG", "acme").replace("HOST", host[1])
        if re.search("theeye_exporter_cut_series|theeye_collector_", command):
            tree.type(f"{typed} || true")  # there is nothing to show until it happens
        else:
            assert tree.type(typed)


def keep_the_state(tree: Tree, page: Page, exporter: str, ready: str) -> None:
    start = f"{exporter} --state.file=exporter.state"

    def files() -> list[str]:
        return tree.type("ls exporter.state*").split()

    with tree.running(start):
        tree.type(ready)
    assert files() == ["exporter.state"]
    tree.type(page.take("cp --archive exporter.state "))
    (forced,), (upgrade,) = page.rows("pipx"), page.rows("systemd")
    tree.type(forced, online=True)
    tree.type(upgrade.partition(" && ")[0], online=True)
    with tree.running(start):
        tree.type(ready)
    for command in list(page.left):
        tree.type(page.take(command))
    with tree.running(start):
        tree.type(ready)
    assert files() == ["exporter.state", "exporter.state.before"]


def start_tasks(tree: Tree, theeye: SimulatedTheEye, install: Page) -> None:
    tree.type(install.take("install -m 600 /dev/null acme.token"))
    write(tree, "acme.token", theeye.settings.user_token)
    hosts = tree.root / "etc/hosts"
    hosts.write_text("127.0.0.1 localhost actions.example\n")
    start_one_by_hand(tree)
    start_canaries(tree)
    let_alerts_start_some(tree, install)


def start_one_by_hand(tree: Tree) -> None:
    command = re.findall(r"^\$ (theeye-exporter run deploy) ", document("docs/run.md"), re.MULTILINE)[0]
    account = "THEEYE_ORGANIZATION_NAME=acme THEEYE_TOKEN_FILE=acme.token"
    assert "ended: success" in tree.type(f"env {account} {command}")


def start_canaries(tree: Tree) -> None:
    page = Page("canaries")
    write(tree, "actions.yaml", page.file("actions.yaml"))
    assert "script-on-web-01" in tree.type(page.take("theeye-exporter actions check"))
    with tree.running(page.take("theeye-exporter actions ")):
        tree.type("curl -sS --retry 60 --retry-delay 1 --retry-connrefused localhost:9856/-/ready")
    assert json.loads(tree.type(page.take("echo"))) == {"state": "success"}
    page.finish()


def let_alerts_start_some(tree: Tree, install: Page) -> None:
    page = Page("actions")
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    users = {"basic_auth_users": dict.fromkeys(("alertmanager", "prometheus", "NAME"), hashed)}
    alert = {
        "status": "firing",
        "labels": {"alertname": "NginxDown", "severity": "critical", "instance": "web-01:80"},
        "startsAt": (datetime.now(UTC) + timedelta(seconds=60)).isoformat(),
        "endsAt": "0001-01-01T00:00:00Z",
    }
    write(tree, "actions.yaml", page.file("actions.yaml"))
    write(tree, "web.yml", yaml.safe_dump(users))
    write(tree, "FILE", json.dumps({"version": "4", "status": "firing", "truncatedAlerts": 0, "alerts": [alert]}))
    tree.type(install.take("sudo install -D -m 600 -t /etc/theeye-exporter/actions"))
    for check in (page.take("theeye-exporter actions check"), install.rows("pipx")[1], install.rows("systemd")[1]):
        assert "restart-nginx" in tree.type(check)
    history, test = (
        re.findall(rf"`(theeye-exporter actions {what}.*?)`", page.text)[0] for what in ("history", "test FILE")
    )
    post = f"curl -sS -u alertmanager:{PASSWORD} -H 'Content-Type: application/json' -d @FILE"
    with tree.running(page.take("theeye-exporter actions ")):
        tree.type(install.take("curl -sS --retry"))
        said = tree.type(f"{post} http://actions.example:9856/api/v1/alerts/restart-nginx")
        assert json.loads(said)["decisions"][0]["decision"] == "dry_run"
        tree.type(page.take("curl"))
    assert "web-01" in tree.type(test)
    assert "dry_run" in tree.type(history)
    assert tree.type("ls actions.state*").split() == ["actions.state"]
    page.finish()


def start_from_the_clone(tree: Tree, page: Page, exported: str, ready: str) -> None:
    tree.type("make .venv/run.stamp", online=True)  # what `make run` installs first
    with tree.running(f"env {exported.removeprefix('export ')} {page.take('make run')}"):
        tree.type(ready)
    (check,) = page.rows("clone")
    assert "Everything works" in tree.type(f"{exported}; {check}")
