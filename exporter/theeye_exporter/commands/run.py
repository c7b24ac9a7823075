"""Starts one task or workflow and follows it to its end; `theeye-exporter run`."""

import argparse
import shlex
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TextIO

from theeye_exporter import config, signals
from theeye_exporter.actions.report import Exit, RunReport
from theeye_exporter.actions.rows import Target
from theeye_exporter.actions.single import Run, Wishes
from theeye_exporter.actions.targets import Found, TargetError, by_position, find_task, find_workflow, fitted
from theeye_exporter.actions.upstream import HttpUpstream
from theeye_exporter.commands import CommandError
from theeye_exporter.config import OrganizationSettings, Settings
from theeye_exporter.config.loading import load
from theeye_exporter.config.sections import TOKEN, TOKEN_FILE
from theeye_exporter.observability.logs import configure_logging, protect
from theeye_exporter.polling.connecting import token_source, transport_settings
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.starting import StartingClient, is_object_id
from theeye_exporter.theeye.tokens import secret_from_file
from theeye_exporter.theeye.transport import Transport

__all__ = ["PAUSES", "run"]

PAUSES: Final = (1.0, 10.0)
"""Seconds between two looks at a run, for the first half minute and later."""

_NO_TOKEN: Final = "none"  # noqa: S105 - stands for a missing one
_ADVICE: Final = {
    Reason.UNAUTHORIZED: "the token is wrong or expired, or its user is disabled",
    Reason.FORBIDDEN: "the token's user needs at least the level user, and the task must be shared with this user",
}
_END_SECONDS: Final = 90.0
_MAX_BYTES: Final = 256 * 2**20


def run(flags: argparse.Namespace, environ: Mapping[str, str], out: TextIO) -> int:
    """Start a run, follow it and print what came of it.

    Returns:
        The exit code, one of `Exit`.

    Raises:
        CommandError: the flags do not fit together, or name nothing or several things.
        ConfigError: the configuration is wrong.
    """
    if (flags.task is None) == (flags.attach is None):
        raise CommandError("give either TASK or --attach JOB")
    secret = _secret(flags.secret_file)
    settings = load(flags, environ if secret is None else _with_some_token(environ))
    configure_logging(settings.log.level, settings.log.format, config.secrets_in(settings))
    organization = _organization(flags.organization, settings)
    client = _client(organization)
    can_look = organization.token is None or organization.token.get_secret_value() != _NO_TOKEN
    if flags.attach is not None and not is_object_id(flags.attach):
        raise CommandError("--attach: expected the id of a job: 24 hexadecimal digits")
    if not can_look:
        _check_without_token(flags)
    interrupted = threading.Event()
    signals.at_end(lambda _: interrupted.set(), _END_SECONDS)
    wishes = Wishes(
        timeout=flags.timeout, wait=flags.wait, cancel_on_interrupt=flags.cancel_on_interrupt, pauses=PAUSES
    )
    progress = _Progress(sys.stderr)
    following = Run(client, wishes, interrupted, progress)
    try:
        report = _report(
            following,
            client,
            flags,
            HttpUpstream(client, None if secret is None else lambda: secret, can_look=can_look),
            progress,
        )
    finally:
        progress.end()
        client.close()
    print(report.json() if flags.format == "json" else report.text(_again(flags)), file=out, flush=True)
    return int(report.exit)


def _report(
    following: Run, client: StartingClient, flags: argparse.Namespace, upstream: HttpUpstream, progress: "_Progress"
) -> RunReport:
    if flags.attach is not None:
        return following.attach(flags.attach)
    try:
        if upstream.can_look:
            found = (find_workflow if flags.workflow else find_task)(client, flags.task)
            arguments = fitted(found, flags.arguments)
        else:
            found = Found(Target("workflow" if flags.workflow else "task", flags.task, ""), "", "", None)
            arguments = by_position(flags.arguments)
    except TargetError as error:
        raise CommandError(str(error)) from None
    except UpstreamError as error:
        words = f"Nothing was started: {error.detail}; {_ADVICE.get(error.reason, error.reason.advice)}."
        return RunReport(exit=Exit.REFUSED, message=words)
    if found.note:
        progress.say(f"note: {found.note}")
    return following.start(found, arguments, upstream)


def _check_without_token(flags: argparse.Namespace) -> None:
    kind = "workflow" if flags.workflow else "task"
    if flags.attach is not None:
        raise CommandError("without a token, no run can be followed")
    if not is_object_id(flags.task):
        raise CommandError(
            f"without a token, the {kind} cannot be looked up by its name: give its id, 24 hexadecimal digits"
        )
    if flags.wait:
        raise CommandError("without a token, the run can be started, but not followed: add --no-wait")


def _again(flags: argparse.Namespace) -> str:
    """Return the command that follows a run of the same organisation."""
    own = (("--config.file", flags.config_file), ("--organization", flags.organization))
    return shlex.join(["theeye-exporter", "run", *(f"{flag}={value}" for flag, value in own if value is not None)])


def _secret(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        secret = secret_from_file(path)()
    except UpstreamError as error:
        raise CommandError(f"--secret-file: {error.detail}") from None
    protect(secret)
    return secret


def _with_some_token(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return an environment with a token, since a secret key needs none but the configuration does."""
    return environ if {TOKEN, TOKEN_FILE} & set(environ) else {**environ, TOKEN: _NO_TOKEN}


def _organization(wanted: str | None, settings: Settings) -> OrganizationSettings:
    chosen = config.only(None if wanted is None else [wanted], settings).organizations
    if len(chosen) != 1:
        raise CommandError(f"{len(chosen)} organisations are configured; choose one with --organization")
    return chosen[0]


def _client(organization: OrganizationSettings) -> StartingClient:
    settings = transport_settings(organization, _MAX_BYTES)
    source = token_source(organization)
    return StartingClient(Transport(settings, source, lambda *_: None), settings, source, organization.name)


class _Progress:
    """Shows progress on standard error: one line that changes on a terminal, otherwise a line for each change."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._last = ""

    def __call__(self, words: str, seconds: float) -> None:
        if self._live:
            self._stream.write(f"\r\x1b[K{words}, {seconds:.0f} s")
        elif words != self._last:
            self._stream.write(f"{words}, {seconds:.0f} s\n")
        self._last = words
        self._stream.flush()

    def say(self, words: str) -> None:
        """Print a line of its own."""
        self._stream.write(f"{words}\n")

    def end(self) -> None:
        """Leave the terminal with an empty line."""
        if self._live and self._last:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
