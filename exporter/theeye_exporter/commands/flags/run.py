"""The flags of `theeye-exporter run`."""

import argparse
from pathlib import Path
from typing import Annotated

from theeye_exporter import config
from theeye_exporter.config import LogSettings
from theeye_exporter.config.sections import CONFIG_FILE
from theeye_exporter.values.durations import parse_duration
from theeye_exporter.values.errors import InvalidValueError
from theeye_exporter.values.settings import SettingsModel

__all__ = ["add_flags"]


class _RunFlags(SettingsModel):
    """The settings that have a flag here; a configuration file may have all those of the exporter."""

    config_file: Annotated[Path | None, CONFIG_FILE] = None
    log: LogSettings = LogSettings()


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    config.add_flags(parser, _RunFlags)
    config.add_variables(parser)
    parser.add_argument("task", nargs="?", metavar="TASK", help="id, name or name@hostname of the task")
    parser.add_argument("--organization", metavar="NAME", help="organisation to use; needed if several are configured")
    parser.add_argument("--workflow", action="store_true", help="start a workflow: TASK is its id or name")
    parser.add_argument(
        "--secret-file", type=Path, metavar="FILE", help="file with the secret key of the task or workflow"
    )
    parser.add_argument(
        "--argument",
        dest="arguments",
        action="append",
        default=[],
        metavar="VALUE",
        help="value of the task's next argument; may be repeated",
    )
    parser.add_argument(
        "--timeout", type=_duration, default=600.0, metavar="DURATION", help="time to wait for the end (default 10m)"
    )
    parser.add_argument(
        "--no-wait", dest="wait", action="store_false", help="exit as soon as the run is started; the run continues"
    )
    parser.add_argument("--attach", metavar="JOB", help="id of a job to follow; nothing is started")
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="format of the result (default text)"
    )
    parser.add_argument(
        "--cancel-on-interrupt",
        action="store_true",
        help="cancel the run on Ctrl-C or SIGTERM (default: the run continues)",
    )


def _duration(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except InvalidValueError as error:
        raise argparse.ArgumentTypeError(error.message) from None
    if seconds <= 0:
        raise argparse.ArgumentTypeError("expected more than 0s")
    return seconds
