"""The commands of the documents that run the image, with podman in the place of Docker."""

import shlex
from pathlib import Path
from typing import Final

import pytest

from commands import PAGES, commands_of
from image.containers import Container, Engine
from processes import eventually

pytestmark = pytest.mark.e2e

COMMANDS: Final = sorted({c for page in PAGES for c in commands_of(page) if c.startswith("docker run ")})
STATE: Final = "/var/lib/theeye-exporter/exporter.state"


def typed(command: str, folder: Path, image: str) -> list[str]:
    """Return the words of a command: without ports, for containers have no network here, and in the background."""
    _, _, *words = shlex.split(command)
    ports = [number for number, word in enumerate(words) if "-p" in (word, words[number - 1])]
    kept = [word for number, word in enumerate(words) if number not in ports and word not in {"-d", "--rm"}]
    here = [word.replace("./", f"{folder}/", 1) if word.startswith("./") else word for word in kept]
    named = [
        image if word.partition(":")[0] == "theeye-exporter" and here[n - 1] != "--name" else word
        for n, word in enumerate(here)
    ]
    return ["run", "--detach", "--network=none", "--pull=never", *named]


@pytest.mark.parametrize("command", [command for command in COMMANDS if "…" not in command])
def test_commands_of_the_pages(engine: Engine, image: str, tmp_path: Path, command: str) -> None:
    for name in ("token", "token.txt"):
        (tmp_path / name).write_text("a-token")
    organization = "{name: acme, token_file: /run/secrets/theeye-token}"
    (tmp_path / "config.yml").write_text(f"organizations: [{organization}]\n")
    for path in tmp_path.iterdir():
        path.chmod(0o444)  # the user in the image must be able to read it
    container = Container(engine, engine.podman(*typed(command, tmp_path, image)).strip())
    try:
        eventually(container.healthy, "healthy")
        if STATE in command:
            container.execute("ls", STATE)
    finally:
        engine.podman("rm", "--force", "--time", "0", "--volumes", container.name)


def test_a_command_and_its_flags_follow_the_name(engine: Engine, image: str) -> None:
    (command,) = [command for command in COMMANDS if "…" in command]
    *_, name, what, _ = shlex.split(command)
    assert name.partition(":")[0] == "theeye-exporter"
    assert "--config-only" in engine.podman("run", "--rm", "--network=none", "--pull=never", image, what, "--help")
