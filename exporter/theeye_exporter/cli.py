"""Commands and flags; wiring only."""

import argparse
import difflib
import os
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

from theeye_exporter import __version__
from theeye_exporter.commands import CommandError
from theeye_exporter.commands.check import check
from theeye_exporter.commands.demo import add_demo_flags, demo
from theeye_exporter.commands.metrics import render_catalogue
from theeye_exporter.commands.serve import serve
from theeye_exporter.config import ConfigError, Settings, add_flags, load
from theeye_exporter.logs import configure_logging

__all__ = ["main"]

_COMMANDS: Final = {
    "serve": "poll TheEye and serve metrics (the default)",
    "check": "check the configuration, collect once, and print what came of it",
    "demo": "serve the metrics of a simulated TheEye",
    "metrics": "print the catalogue of metrics",
}

_EPILOG: Final = (
    "commands, before any flag:\n"
    + "".join(f"  {name:8} {text}\n" for name, text in _COMMANDS.items())
    + "\nenvironment, all that is needed for one organisation:\n"
    "  THEEYE_ORGANIZATION_NAME   its name, as TheEye writes it\n"
    "  THEEYE_TOKEN               an integration token of it, or\n"
    "  THEEYE_TOKEN_FILE          a file that holds one\n"
    "  THEEYE_SUPERVISOR_URL      where TheEye is, if not https://supervisor.theeye.io"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: arguments without the program's name, those of the process if None.

    Returns:
        The exit code: 0 for success, 1 if `check` found something, 2 for what is wrong with flags or configuration.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = arguments.pop(0) if arguments and not arguments[0].startswith("-") else "serve"
    if command not in _COMMANDS:
        near = difflib.get_close_matches(command, _COMMANDS, n=1)
        hint = f'did you mean "{near[0]}"?' if near else f"there are {', '.join(_COMMANDS)}"
        return _complain(f'unknown command "{command}"; {hint}')
    try:
        flags = _parser(command).parse_args(arguments)
        if command == "metrics":
            sys.stdout.write(render_catalogue(flags.format) + "\n")
            return 0
        if command == "demo":
            return demo(flags, os.environ, sys.stdout)
        settings = load(flags, os.environ)
        configure_logging(
            "error" if command == "check" else settings.log.level, settings.log.format, _secrets(settings)
        )
        return check(settings, sys.stdout) if command == "check" else serve(lambda: load(flags, os.environ))
    except ConfigError as error:
        return _complain(*error.problems)
    except CommandError as error:
        return _complain(error)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, with the nearest flag, and without the whole usage."""

    def error(self, message: str) -> NoReturn:
        prefix = "unrecognized arguments: "
        if message.startswith(prefix):
            unknown = message.removeprefix(prefix).split()[0].split("=")[0]
            near = difflib.get_close_matches(unknown, self._option_string_actions, n=1)
            hint = f"did you mean {near[0]}?" if near else "--help lists the flags"
            message = f"unknown {'flag' if unknown.startswith('-') else 'argument'} {unknown}; {hint}"
        raise CommandError(message)


def _parser(command: str) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="theeye-exporter" if command == "serve" else f"theeye-exporter {command}",
        description=f"Prometheus exporter for TheEye. This command: {_COMMANDS[command]}.",
        epilog=_EPILOG if command == "serve" else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"theeye-exporter {__version__}")
    if command == "metrics":
        parser.add_argument(
            "--format", choices=("text", "markdown"), default="text", help="how to print it (default text)"
        )
        return parser
    add_flags(parser)
    if command == "demo":
        add_demo_flags(parser)
    return parser


def _complain(*problems: object) -> int:
    for problem in problems:
        sys.stderr.write(f"theeye-exporter: error: {problem}\n")
    return 2


def _secrets(settings: Settings) -> list[str]:
    return [o.token.get_secret_value() for o in settings.organizations if o.token is not None]
