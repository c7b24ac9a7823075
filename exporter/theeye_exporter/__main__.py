"""Entry point of the process."""

import errno
import logging
import os
import signal
import sys
import traceback
from contextlib import suppress
from types import FrameType
from typing import Final, NoReturn

__all__ = ["run"]

_NOBODY_LISTENS: Final = frozenset({errno.EPIPE, errno.ENOSPC})
"""A closed pipe or a full disk where there is something to say."""


def run() -> None:
    """Run the command line and leave the process at once.

    A poll that waits for a slow TheEye runs in a thread that Python would wait for; there is nothing in it that must
    not be cut off.
    """
    # As a container's first process it would otherwise ignore the signal until the web server has its own handler.
    signal.signal(signal.SIGTERM, _end)
    try:
        # Here, so that an interrupt during the imports finds the handlers.
        from theeye_exporter.cli import main  # noqa: PLC0415

        code = main()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except KeyboardInterrupt:
        code = 130
    except Exception as error:  # noqa: BLE001 - nobody wants a traceback, and it could quote a secret
        if isinstance(error, OSError) and error.errno in _NOBODY_LISTENS:
            code = 1
        else:
            place = traceback.extract_tb(error.__traceback__)[-1]
            with suppress(OSError, AttributeError):
                sys.stderr.write(
                    f"theeye-exporter: error: internal error, please report it: {type(error).__name__} "
                    f"at {place.filename}:{place.lineno}\n"
                )
            code = 70
    with suppress(OSError):
        logging.shutdown()
    os._exit(code)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)  # as a shell says it of who died of the signal


if __name__ == "__main__":
    run()
