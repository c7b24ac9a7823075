"""Entry point of the process."""

import logging
import os
import sys
import traceback

from theeye_exporter.cli import main

__all__ = ["run"]


def run() -> None:
    """Run the command line and leave the process at once.

    A poll that waits for a slow TheEye runs in a thread that Python would wait for; there is nothing in it that must
    not be cut off.
    """
    try:
        code = main()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except KeyboardInterrupt:
        code = 130
    except Exception as error:  # noqa: BLE001 - nobody wants a traceback, and it could quote a secret
        places = traceback.extract_tb(error.__traceback__)
        where = f"{places[-1].filename}:{places[-1].lineno}"
        sys.stderr.write(
            f"theeye-exporter: error: internal error, please report it: {type(error).__name__} at {where}\n"
        )
        code = 70
    logging.shutdown()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        code = code or 1
    os._exit(code)


if __name__ == "__main__":
    run()
