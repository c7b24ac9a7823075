"""A newcomer types the commands of the documents, as they stand there, on a bare Debian.

What needs systemd, containers, a cluster or TheEye itself is not typed: `commands.py` says which other test has it, or why none.
"""

import json
import re
import shutil
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import bcrypt
import pytest
import yaml

from commands import PAGES, left_to_type
from documents import code_blocks, document
from processes import eventually
from theeye_exporter import __version__
from theeye_exporter.actions.report import Exit
from theeye_exporter.demo import DemoSettings, SimulatedTheEye, parse_fault
from theeye_exporter.demo.results import Ending
from theeye_exporter.demo.tasks import Task
from tools import require_tool
from trees import HOME, Tree, tree_with

pytestmark = pytest.mark.e2e

PASSWORD: Final = "right"
READY: Final = "curl -sS --retry 60 --retry-delay 1 --retry-connrefused localhost:9855/-/ready"
TASKS: Final = {"canary": (), "restart nginx": ("host",), "deploy": (), "lost and gone": (), "long report": ()}
"""The tasks of the documents, and the names of their arguments."""


class Page:
    """The commands of a document that have not been typed yet."""

    def __init__(self, name: str) -> None:
        in_lists = re.compile("^ +```.*?^ +```$", re.MULTILINE | re.DOTALL)
        self.text = in_lists.sub(lambda block: textwrap.dedent(block[0]), document(name))
        self.left = left_to_type(name)

    def take(self, start: str) -> str:
        """Return the next command that begins so; a password that it asks for is given."""
        command = next(line for line in self.left if line.startswith(start))
        self.left.remove(command)
        return re.sub(r"-u [\w]+", rf"\g<0>:{PASSWORD}", command)

    def file(self, name: str) -> str:
        """Return the example of a file."""
        (found,) = [text for text in code_blocks(self.text, "yaml") if text.startswith(f"# {name}\n")]
        return found


class Pages(dict[str, Page]):
    """All documents, also by their name in `docs`."""

    def __missing__(self, name: str) -> Page:
        return self[f"docs/{name}.md"]

    def take(self, start: str, *names: str) -> str:
        """Return the next command that begins so on several pages; it is the same on all."""
        (command,) = {self[name].take(start) for name in names}
        return command


@pytest.fixture(scope="module")
def tree() -> Iterator[Tree]:
    with tree_with("python3", "python3-venv", "make", "curl", "pipx", "apache2-utils", "python3-bcrypt") as made:
        yield made


@pytest.fixture
def theeye(tree: Tree) -> Iterator[SimulatedTheEye]:
    """A TheEye that the tree reaches, with the tasks of the documents."""
    theeye = SimulatedTheEye(DemoSettings(organization="acme", monitors=10, tasks=24, speed=50.0, calm=True))
    host = next(host for host in theeye.world.hosts.values() if host.hostname == "web-01")
    for number, (name, arguments) in enumerate(TASKS.items()):
        task = Task(f"6a30f0c1a2b3c4d5e6f7080{number}", name, "script", host, theeye.world.now_ms - 1000)
        task.script_id, task.secret = "6a30f0c1a2b3c4d5e6f7081a", str(number) * 64
        task.ends = (Ending("success", 3600.0 if name == "long report" else 1.0), None)
        task.arguments = inputs(*arguments)
        theeye.world.add_task(task)
    with tree.inside():
        theeye.start()
    yield theeye
    with tree.inside():
        theeye.stop()


def inputs(*labels: str) -> tuple[dict[str, object], ...]:
    """Return the arguments of a task that has these."""
    return tuple({"order": n, "label": label, "type": "input", "id": n} for n, label in enumerate(labels))


def write(tree: Tree, name: str, text: str) -> None:
    (tree.root / HOME[1:] / name).write_text(text)


def test_all_that_can_be_typed_works(tree: Tree, theeye: SimulatedTheEye) -> None:
    pages = Pages({page: Page(page) for page in PAGES})
    install = pages["install"]
    install_the_wheel(tree, install, theeye)
    change_the_rules(tree, pages["alerts"])
    try_the_demo(tree, pages)
    tree.variables["THEEYE_SUPERVISOR_URL"] = theeye.url
    exported = pages.take("export ", "install", "install", "README.md")
    exporter = f"env {exported.removeprefix('export ')} theeye-exporter"
    watch_ones_own(tree, pages, exported)
    keep_the_state(tree, pages["upgrading"], exporter)
    configure(tree, pages["configuration"], theeye)
    demand_a_password(tree, pages["web-config"], exporter)
    start_tasks(tree, theeye, pages)
    start_from_the_clone(tree, pages, exported)
    assert {name: page.left for name, page in pages.items() if page.left} == {}


def install_the_wheel(tree: Tree, page: Page, theeye: SimulatedTheEye) -> None:
    tree.type(page.take("install -m 600 /dev/null token.txt"))
    tree.type(page.take("cat > token.txt"), stdin=f"{theeye.settings.token}\n")
    for start in ("pipx install", "sudo python3 -m venv", "sudo /opt/theeye-exporter/bin/pip"):
        tree.type(page.take(start), online=True)
    assert __version__ in tree.type(page.take("theeye-exporter version"))
    for start in ("sudo install -D -m 600 token.txt", "sudo chown", "sudo chown"):
        tree.type(page.take(start))


def change_the_rules(tree: Tree, page: Page) -> None:
    tree.type("cp --recursive grafana/alerts theeye")
    for _ in range(2):
        tree.type(page.take("sed"))
    shutil.copy(require_tool("promtool"), tree.root / "usr/local/bin")
    assert "FAILED" not in tree.type(page.take("promtool check rules"))
    addresses = set(re.findall(r"_url: .*?(https?://[^/]+)", tree.type("cat theeye/*.rules.yml")))
    assert addresses == {"https://grafana.example.org", "https://wiki.example.org"}


def try_the_demo(tree: Tree, pages: Pages) -> None:
    """Without a token, there is a simulated TheEye, which breaks as it is told to."""
    readme, contributing, demo, alerts = (pages[name] for name in ("README.md", "CONTRIBUTING.md", "demo", "alerts"))
    tree.type("make .venv/run.stamp", online=True)  # what `make run` installs first
    printed = re.findall(r"^\$ make run\n(.*?)```", readme.text, re.MULTILINE | re.DOTALL)[0]
    with tree.running(readme.take("make run")) as log:
        tree.type(READY)
        assert printed in log()
        assert 'theeye_up{organization="demo"} 1' in tree.type(readme.take("curl -s "))
        for page in (readme, *[alerts] * 4, demo):
            start = "curl -X" if page is not demo else "curl -X PUT --data error=503"
            tree.type(page.take(start))
        assert "error=503" in tree.type(demo.take("curl http"))
        tree.type(demo.take("curl -X DELETE"))
        assert "error=503" not in tree.type("curl http://127.0.0.1:60080/-/faults")
    with tree.running(contributing.take("make run")):
        tree.type(READY)
    close_the_loop(tree, pages)


def close_the_loop(tree: Tree, pages: Pages) -> None:
    demo = pages["demo"]

    def shows(command: str, value: str) -> bool:
        return tree.type(f"{command} || true").endswith(f" {value}\n")

    with tree.running(demo.take("theeye-exporter demo")):
        for port in (9855, 9856):
            tree.type(READY.replace("9855", str(port)))
        tree.type(pages.take("curl -X PUT", "demo", "actions"))
        failing = demo.take("curl -s ")
        eventually(lambda: shows(failing, "1"), "the monitor fails")
        assert json.loads(tree.type(demo.take("curl --json")))["decisions"][0]["decision"] == "waiting"
        assert failing == demo.take("curl -s ")
        eventually(lambda: shows(failing, "0"), "the monitor works again")


def watch_ones_own(tree: Tree, pages: Pages, exported: str) -> None:
    install = pages["install"]
    for command in (install.take("theeye-exporter check"), install.take("sudo env THEEYE_ORGANIZATION_NAME=acme")):
        assert "Everything works" in tree.type(f"{exported}; {command}")
    ready = install.take("curl -sS --retry")
    assert ready == READY
    with tree.running(f"env {exported.removeprefix('export ')} {install.take('theeye-exporter')}"):
        tree.type(ready)
        look_for_what_is_missing(tree, pages["no-data"])
        look_into_the_runbooks(tree, pages["runbooks"])
    for command in (pages["README.md"].take("theeye-exporter completion"), pages["README.md"].take("source <(")):
        tree.type(command)


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


def look_into_the_runbooks(tree: Tree, page: Page) -> None:
    write(tree, "FILE", "organizations: [{name: acme, token_file: token.txt}]\n")
    assert "1 organisation" in tree.type(page.take("theeye-exporter check --config-only"))
    assert tree.type(page.take("curl -s http").replace("INSTANCE", "localhost:9855"))
    assert tree.type(page.take("curl -sS -o")) == "200\n"
    tree.type(page.take("curl -sS $THEEYE"))
    monitor = re.findall(r'monitor_id="(\w+)"', tree.type("curl -s localhost:9855/metrics"))[0]
    report = page.take("curl -H").replace("/ORG/", "/acme/").replace("/ID", f"/{monitor}")
    assert json.loads(tree.type(f"THEEYE_TOKEN=$(cat token.txt); {report}"))["id"] == monitor


def keep_the_state(tree: Tree, page: Page, exporter: str) -> None:
    start = f"{exporter} --state.file=exporter.state"

    def files() -> list[str]:
        return tree.type("ls exporter.state*").split()

    with tree.running(start):
        tree.type(READY)
    assert files() == ["exporter.state"]
    tree.type(page.take("cp --archive exporter.state "))
    tree.type(page.take("pipx install --force"), online=True)
    tree.type(page.take("sudo /opt").partition(" && ")[0], online=True)
    with tree.running(start):
        tree.type(READY)
    tree.type(page.take("rm --force"))
    tree.type(page.take("cp --archive"))
    with tree.running(start):
        tree.type(READY)
    assert files() == ["exporter.state", "exporter.state.before"]
    tree.type("install -D exporter.state /var/lib/theeye-exporter/exporter.state")  # where systemd keeps it
    tree.type(page.take("sudo cp --archive"))


def configure(tree: Tree, page: Page, theeye: SimulatedTheEye) -> None:
    exported = page.take("export ").replace("=demo", "=acme").replace("…", theeye.settings.token)
    with tree.running(f"env {exported.removeprefix('export ')} {page.take('theeye-exporter')} --web.enable-lifecycle"):
        tree.type(READY)
        assert tree.type(page.take("curl -X POST")) == "reloaded\n"


def demand_a_password(tree: Tree, page: Page, exporter: str) -> None:
    twice = f"{PASSWORD}\n{PASSWORD}\n"
    hashes = [tree.type(page.take(start), stdin=twice).strip() for start in ("htpasswd", "python3")]
    users = {"basic_auth_users": dict(zip(("one", "two"), hashes, strict=True))}
    (tree.root / "etc/theeye-exporter/web.yml").write_text(yaml.safe_dump(users))
    with tree.running(page.take("theeye-exporter").replace("theeye-exporter", exporter, 1)):
        for user in ("one", "two"):
            assert tree.type(READY.replace("curl", f"curl --fail -u {user}:{PASSWORD}"))


def start_tasks(tree: Tree, theeye: SimulatedTheEye, pages: Pages) -> None:
    tree.type(pages["install"].take("install -m 600 /dev/null acme.token"))
    write(tree, "acme.token", theeye.settings.user_token)
    hosts = tree.root / "etc/hosts"
    hosts.write_text("127.0.0.1 localhost actions.example\n")
    start_some_by_hand(tree, theeye, pages)
    start_canaries(tree, pages["canaries"])
    let_alerts_start_some(tree, pages)


def start_some_by_hand(tree: Tree, theeye: SimulatedTheEye, pages: Pages) -> None:
    account = "THEEYE_ORGANIZATION_NAME=acme THEEYE_TOKEN_FILE=acme.token"
    tasks = {task.name: task for task in theeye.world.tasks.values()}

    def run(page: Page, start: str, code: Exit) -> str:
        return tree.type(f"env {account} {page.take(start).replace('TASK', 'deploy')} || test $? = {code:d}")

    assert "ended: success" in run(pages["README.md"], "theeye-exporter run", Exit.SUCCESS)
    tasks["restart nginx"].arguments, tasks["deploy"].arguments = (), inputs("service", "version")
    assert "ended: success" in run(pages["run"], 'theeye-exporter run "restart', Exit.SUCCESS)
    run(pages["run"], "theeye-exporter run deploy", Exit.USAGE)
    theeye.faults = (parse_fault("creation:drop"),)
    run(pages["run"], 'theeye-exporter run "lost', Exit.FATE_UNKNOWN)
    theeye.faults = ()
    assert "--attach" in run(pages["run"], 'theeye-exporter run "long', Exit.STILL_RUNNING)
    tasks["restart nginx"].arguments = inputs(*TASKS["restart nginx"])


def start_canaries(tree: Tree, page: Page) -> None:
    write(tree, "actions.yaml", page.file("actions.yaml"))
    assert "--config.file" in tree.type(page.take("theeye-exporter actions --help"))
    assert "script-on-web-01" in tree.type(page.take("theeye-exporter actions check"))
    with tree.running(page.take("theeye-exporter actions ")):
        tree.type(READY.replace("9855", "9856"))
    assert json.loads(tree.type(page.take("echo"))) == {"state": "success"}


def let_alerts_start_some(tree: Tree, pages: Pages) -> None:
    page, install, runbooks = (pages[name] for name in ("actions", "install", "runbooks"))
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    users = {"basic_auth_users": dict.fromkeys(("alertmanager", "prometheus", "NAME", "USER"), hashed)}
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
    check = pages.take("theeye-exporter actions check", "actions", "install")
    of_systemd = install.take("sudo /opt/theeye-exporter/bin/theeye-exporter actions check")
    of_runbooks = runbooks.take("theeye-exporter actions check").replace("FILE", "actions.yaml")
    for command in {check, of_systemd, of_runbooks}:
        assert "restart-nginx" in tree.type(command)
    post = f"curl -sS -u alertmanager:{PASSWORD} -H 'Content-Type: application/json' -d @FILE"
    with tree.running(page.take("theeye-exporter actions --config")):
        tree.type(install.take("curl -sS --retry"))
        said = tree.type(f"{post} http://actions.example:9856/api/v1/alerts/restart-nginx")
        assert json.loads(said)["decisions"][0]["decision"] == "dry_run"
        resume = runbooks.take("curl -u USER").replace("PROCESS", "actions.example").replace("NAME", "restart-nginx")
        assert tree.type(page.take("curl -u NAME")) == tree.type(resume)
    assert "web-01" in tree.type(page.take("theeye-exporter actions test"))
    history = page.take("theeye-exporter actions history")
    assert history == runbooks.take("theeye-exporter actions history").replace("FILE", "actions.yaml")
    assert "dry_run" in tree.type(history)
    assert tree.type("ls actions.state*").split() == ["actions.state"]


def start_from_the_clone(tree: Tree, pages: Pages, exported: str) -> None:
    run = pages.take("make run", "README.md", "install")
    with tree.running(f"env {exported.removeprefix('export ')} {run}"):
        tree.type(READY)
    check = pages.take(".venv", "README.md", "install")
    assert "Everything works" in tree.type(f"{exported}; {check}")
    tree.type(pages["image"].take("install -d"))
