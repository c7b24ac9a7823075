"""Entry point of the process."""

import errno
import os
import sys
from contextlib import suppress
from typing import Final

from theeye_exporter import signals

__all__ = ["run"]

_NOBODY_LISTENS: Final = frozenset({errno.EPIPE, errno.ENOSPC})
"""Errors of a closed pipe or a full disk when something is printed."""


def run() -> None:
    """Run the command line and leave the process at once.

    Python would wait for the thread of a poll that waits for a slow TheEye. Such a poll can be cut off safely.
    """
    signals.listen()
    try:
        code = _main()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except Exception as error:  # noqa: BLE001 - a traceback helps no user, and could quote a secret
        if isinstance(error, OSError) and error.errno in _NOBODY_LISTENS:
            code = 1
        else:
            with suppress(OSError, AttributeError):
                sys.stderr.write(f"theeye-exporter: error: {_words(error)}\n")
            code = 70
    os._exit(code)


def _main() -> int:
    # Imported here, after `listen`: imports take most of the start, and a signal can arrive meanwhile.
    from theeye_exporter.cli import main  # noqa: PLC0415

    try:
        return main()
    except SystemExit as error:  # from argparse, after --help and --version
        return error.code if isinstance(error.code, int) else 1


def _words(error: Exception) -> str:
    from theeye_exporter.theeye.memory import lacking  # noqa: PLC0415 - as above

    return lacking(error) or f"internal error, please report it: {type(error).__name__} at {_place(error)}"


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "?"


if __name__ == "__main__":
    run()
