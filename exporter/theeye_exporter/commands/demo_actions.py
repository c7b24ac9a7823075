"""Runs actions beside the demo, in a process of their own: nothing that serves the exporter's metrics may start a run."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from theeye_exporter.commands import CommandError
from theeye_exporter.commands.flags.demo import ACTIONS_ADDRESS
from theeye_exporter.config.addresses import ListenAddress, parse_listen_address
from theeye_exporter.demo import SimulatedTheEye

__all__ = ["CONFIGURATION", "running_actions"]

_END_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.1

CONFIGURATION: Final = """\
organizations:
  - name: {organization}
    token: {token}
canaries:
  - name: script-on-web-01
    task: canary@web-01
    interval: 30s
    timeout: 30s
actions:
  - name: restart-service
    task: restart service
    hostname_from: {{source_labels: [hostname]}}
    matchers: ['alertname=~"TheEye.*MonitorFailing"', 'monitor="Processes List"']
    mode: live
    cooldown: 1m
"""
"""The file of the process, without the simulated TheEye's organisation and token; the stack of Compose has the same."""


@contextmanager
def running_actions(theeye: SimulatedTheEye, address: str, environ: Mapping[str, str]) -> Iterator[str]:
    """Run a live action and a canary with the simulated TheEye until the block ends; yields the URL of their page.

    Its state file is deleted at the end.

    Args:
        theeye: The simulated TheEye.
        address: Where the process listens.
        environ: The environment variables.

    Raises:
        CommandError: The address is wrong, or the process does not start and has said why on stderr.
    """
    try:
        listen = parse_listen_address(address)
    except ValueError as error:
        raise CommandError(f"--demo.actions: {error}") from None
    if not listen.host or not listen.port:
        raise CommandError(f"--demo.actions: expected a host and a port, such as {ACTIONS_ADDRESS}, got {listen}")
    with TemporaryDirectory(prefix="theeye-demo-") as name:
        folder = Path(name)
        settings = theeye.settings
        text = CONFIGURATION.format(organization=settings.organization, token=settings.user_token)
        (folder / "actions.yaml").write_text(text)
        command = [sys.executable, "-m", "theeye_exporter", "actions", f"--config.file={folder / 'actions.yaml'}"]
        command += [f"--state.file={folder / 'actions.state'}", f"--web.listen-address={address}"]
        kept = {name: value for name, value in environ.items() if not name.startswith("THEEYE_")}
        environment = {**kept, "THEEYE_SUPERVISOR_URL": theeye.url}
        process = subprocess.Popen(command, env=environment)  # noqa: S603 - this program
        try:
            _wait_for(process, listen)
            yield f"http://{listen}"
        finally:
            process.terminate()
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(process: "subprocess.Popen[bytes]", address: ListenAddress) -> None:
    while process.poll() is None:
        try:
            with socket.create_connection((address.host, address.port), timeout=1):
                return
        except OSError:
            threading.Event().wait(_LOOK_SECONDS)
    raise CommandError(f"--demo.actions: the process ended with exit code {process.returncode}; it has said why above")
