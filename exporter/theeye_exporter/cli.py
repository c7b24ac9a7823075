"""Commands and flags, wiring only."""

import argparse
import difflib
import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Final, NoReturn

from theeye_exporter import __version__
from theeye_exporter.commands import COMMANDS, CommandError, command_of, flags_of
from theeye_exporter.values.errors import ConfigError
from theeye_exporter.values.text import is_safe_key, shown

__all__ = ["main"]

_INVALID: Final = re.compile("(?<=: invalid )(choice|[a-z]+ value): '(.*?)'")
"""The part of a command line that argparse repeats in its message."""

_LONGEST_WORD: Final = 12
"""Maximum characters of an unknown word that may be repeated; tokens are longer."""

_EPILOG: Final = "commands (put them before all flags):\n" + "\n".join(
    f"  {name:10} {text}" for name, text in COMMANDS.items()
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: arguments without the program's name; None for those of the process.

    Returns:
        The exit code: that of the command, or 2 if it cannot start, because of flags, the configuration, an address in use or the
        state file.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = arguments.pop(0) if arguments and not arguments[0].startswith("-") else "serve"
    if command not in COMMANDS:
        return _complain(_unknown("command", command, COMMANDS, f"the commands are {', '.join(COMMANDS)}"))
    parser = _parser(command)
    if arguments == ["--version"]:
        parser.parse_args(arguments)  # ends here, without importing the command
    return _run(command, parser, arguments)


def _run(name: str, parser: argparse.ArgumentParser, arguments: Sequence[str]) -> int:
    try:
        flags_of(name).add_flags(parser)
        flags = parser.parse_args(arguments)
        return command_of(name).run(flags, os.environ, sys.stdout)
    except ConfigError as error:
        return _complain(*error.problems)
    except CommandError as error:
        return _complain(error)


class _Parser(argparse.ArgumentParser):
    """Reports an error in one line, with the nearest flag and without the whole usage."""

    def error(self, message: str) -> NoReturn:
        prefix = "unrecognized arguments: "
        if message.startswith(prefix):
            unknown = message.removeprefix(prefix).split()[0].split("=")[0]
            if unknown in COMMANDS:
                raise CommandError(f"the command comes first: theeye-exporter {unknown} [flags]")
            kind = "flag" if unknown.startswith("-") else "argument"
            raise CommandError(_unknown(kind, unknown, self._option_string_actions, "--help lists the flags"))
        if ": ignored explicit argument " in message:
            flags = message.partition(": ignored")[0].removeprefix("argument ")
            raise CommandError(f"{flags} takes no value")
        raise CommandError(_INVALID.sub(lambda said: f"{said[1]}: {shown(said[2])}", message))


def _unknown(kind: str, word: str, valid: Iterable[str], otherwise: str) -> str:
    """Say that the word is unknown; do not repeat it if it may be a token."""
    if near := difflib.get_close_matches(word, valid, n=1):
        return f'unknown {kind} "{word}"; did you mean "{near[0]}"?'
    # Commands and arguments are short; names of flags can be long, but have no digits.
    if is_safe_key(word.lstrip("-")) and (kind == "flag" or len(word) <= _LONGEST_WORD):
        return f'unknown {kind} "{word}"; {otherwise}'
    return (
        f"unknown {kind} (not repeated, as it may be a token); {otherwise}; put tokens in THEEYE_TOKEN or a token_file"
    )


def _parser(command: str) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="theeye-exporter" if command == "serve" else f"theeye-exporter {command}",
        description=f"Prometheus exporter for TheEye. This command: {COMMANDS[command]}.",
        usage="%(prog)s [command] [flags]" if command == "serve" else None,
        epilog=_EPILOG if command == "serve" else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"theeye-exporter {__version__}")
    return parser


def _complain(*problems: object) -> int:
    for problem in problems:
        sys.stderr.write(f"theeye-exporter: error: {problem}\n")
    return 2
