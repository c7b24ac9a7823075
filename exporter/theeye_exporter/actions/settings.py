"""The settings of `theeye-exporter actions`. The schema of its file, flags and variables are derived from them."""

import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import model_validator

from theeye_exporter.actions.limits import Rate
from theeye_exporter.actions.matchers import parse_matchers
from theeye_exporter.actions.regular import compile_regex
from theeye_exporter.config import LogSettings, Problem, StateSettings, TheEyeSettings, WebSettings
from theeye_exporter.config.addresses import ListenAddress
from theeye_exporter.config.sections import CONFIG_FILE, LISTEN, OrganizationSettings
from theeye_exporter.values import parsers
from theeye_exporter.values.errors import InvalidValueError
from theeye_exporter.values.settings import FILE, Kind, Setting, SettingsModel, choice, duration, integer
from theeye_exporter.values.text import shown

__all__ = [
    "PORT",
    "ActionSettings",
    "ActionsSettings",
    "ActionsStateSettings",
    "ActionsWebSettings",
    "ArgumentSettings",
    "CanarySettings",
    "RelabellingSettings",
    "TargetSettings",
]

PORT: Final = 9856

_NAME: Final = Kind("name", parsers.parse_label_value, limits="unique in the organisation")
_ORGANIZATION: Final = Kind("name", parsers.parse_organization_name)
_TARGET: Final = Kind("text", parsers.parse_target, limits="an id or a name")
_VALUES: Final = Kind("text", parsers.parse_argument, listed=parsers.parse_one_or_more)
_PERIODS: Final = {"m": 60.0, "h": 3600.0, "d": 86_400.0}

Mode = Literal["dry_run", "live"]
"""Whether an action starts runs."""


def _regex(value: object) -> str:
    text = parsers.parse_argument(value)
    try:
        compile_regex(text)
    except ValueError as error:
        raise InvalidValueError(str(error)) from None
    return text


def _matcher(value: object) -> str:
    text = parsers.parse_argument(value)
    try:
        parse_matchers(text)
    except ValueError as error:
        raise InvalidValueError(str(error)) from None
    return text


def _slug(value: object) -> str:
    text = parsers.parse_label_value(value)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", text):
        raise InvalidValueError("expected a name of letters, digits, -, _ and .")
    return text


def _rate(value: object) -> Rate:
    text = parsers.parse_argument(value)
    found = re.fullmatch(r"([1-9][0-9]{0,3})/(m|h|d)", text)
    if found is None:
        raise InvalidValueError(f"expected a number of runs in a time, such as 10/h, got {shown(text)}")
    return Rate(int(found[1]), _PERIODS[found[2]])


def _show_rate(rate: Rate) -> str:
    period = next(name for name, seconds in _PERIODS.items() if seconds == rate.seconds)
    return f"{rate.count}/{period}"


_TEXT: Final = Kind("text", parsers.parse_argument)
_REGEX: Final = Kind("expression", _regex)
_MATCHERS: Final = Kind("matcher", _matcher, listed=parsers.parse_one_or_more, limits="at least one")
_SLUG: Final = Kind("name", _slug, limits="letters, digits, -, _ and .")
_STATE: Final = "file that keeps alerts, decisions and runs across restarts; needed for actions"
_RATE: Final = Kind("rate", _rate, _show_rate, limits="1 to 9999 per m, h or d")


class TargetSettings(SettingsModel):
    """What is started: a task or a workflow, of which organisation, and with which key."""

    organization: Annotated[
        str | None, Setting(_ORGANIZATION, "organisation of the task or workflow; may be left out if there is only one")
    ] = None
    task: Annotated[str | None, Setting(_TARGET, "task to start: its id, name, or `name@hostname`")] = None
    workflow: Annotated[str | None, Setting(_TARGET, "workflow to start, in place of a task: its id or name")] = None
    secret_file: Annotated[
        Path | None,
        Setting(
            FILE,
            "file with the secret key of the task or workflow; runs are then started with this key instead of the token",
        ),
    ] = None
    """The file is read at each start."""

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if (self.task is None) == (self.workflow is None):
            raise ValueError("there is either a task or a workflow")
        return self


class CanarySettings(TargetSettings):
    """One item of ``canaries:``."""

    name: Annotated[str, Setting(_NAME, "name of the canary, the value of the label `canary`")]
    arguments: Annotated[tuple[str, ...], Setting(_VALUES, "values of the task's arguments, in order")] = ()
    interval: Annotated[float, Setting(duration(10.0), "time from one start to the next")] = 300.0
    timeout: Annotated[
        float, Setting(duration(5.0), "longest time of a run; a longer run is cancelled and counts as a failure")
    ] = 120.0


class RelabellingSettings(SettingsModel):
    """How the labels of an alert become a text, as in relabelling."""

    source_labels: Annotated[tuple[str, ...], Setting(_VALUES, "labels of the alert, whose values are joined")] = ()
    separator: Annotated[str, Setting(_TEXT, "text between the joined values")] = ";"
    regex: Annotated[str, Setting(_REGEX, "regular expression (RE2) that the joined values must match as a whole")] = (
        "(.*)"
    )
    replacement: Annotated[str, Setting(_TEXT, "resulting text; `$1` stands for the first group of `regex`")] = "$1"


class ArgumentSettings(RelabellingSettings):
    """One argument of an action: a fixed value, or one that is made of labels."""

    value: Annotated[str | None, Setting(_TEXT, "a fixed value, in place of labels")] = None
    allow: Annotated[
        str | None,
        Setting(
            _REGEX, "regular expression that a value made of labels must match as a whole, instead of the default rules"
        ),
    ] = None


class ActionSettings(TargetSettings):
    """One item of ``actions:``."""

    name: Annotated[
        str, Setting(_SLUG, "name of the action; also the last part of its URL, and the value of the label `action`")
    ]
    mode: Annotated[
        Mode, Setting(choice("mode", Mode), "live: start runs; dry_run: only say what would be started")
    ] = "dry_run"
    hostname_from: RelabellingSettings | None = None
    matchers: Annotated[
        tuple[str, ...], Setting(_MATCHERS, "conditions on the labels of an alert, as Alertmanager writes them")
    ]
    arguments: tuple[ArgumentSettings, ...] = ()
    cooldown: Annotated[float, Setting(duration(0.0), "minimum time between two runs for the same alert")] = 900.0
    max_concurrent: Annotated[
        int, Setting(integer(1, 100), "maximum number of runs that may be open at the same time")
    ] = 1
    rate_limit: Annotated[
        Rate, Setting(_RATE, "maximum number of runs that the action may start in a period, such as `10/h`")
    ] = Rate(10)
    max_wait: Annotated[
        float, Setting(duration(1.0), "how long a start may wait, for the limits or because TheEye does not answer")
    ] = 300.0
    suspend_after_failures: Annotated[
        int,
        Setting(integer(0, 1000), "number of failed runs in a row after which the action is suspended; 0 means never"),
    ] = 3
    timeout: Annotated[
        float, Setting(duration(5.0), "longest time of a run; a longer run is cancelled and counts as a failure")
    ] = 600.0


class ActionsWebSettings(WebSettings):
    """``web:``, with another port than the exporter's."""

    listen_address: Annotated[tuple[ListenAddress, ...], LISTEN] = (ListenAddress("", PORT),)


class ActionsStateSettings(StateSettings):
    """``state:``, with other content than the exporter's."""

    file: Annotated[Path | None, Setting(FILE, _STATE, "--state.file")] = None


class ActionsSettings(SettingsModel):
    """The whole configuration. The file has the same sections in the same order."""

    config_file: Annotated[Path | None, CONFIG_FILE] = None
    theeye: TheEyeSettings = TheEyeSettings()
    """Defaults, already merged into each organisation."""
    organizations: tuple[OrganizationSettings, ...] = ()
    canaries: tuple[CanarySettings, ...] = ()
    rate_limit: Annotated[
        Rate, Setting(_RATE, "maximum number of runs that all actions together may start in a period, such as `60/h`")
    ] = Rate(60)
    settle: Annotated[
        float,
        Setting(
            duration(60.0),
            "how long to look for a run whose start got no answer; only time in which TheEye answers counts",
        ),
    ] = 600.0
    actions: tuple[ActionSettings, ...] = ()
    web: ActionsWebSettings = ActionsWebSettings()
    log: LogSettings = LogSettings()
    state: ActionsStateSettings = ActionsStateSettings()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Mistakes in spite of which the configuration is in effect: there are none."""
        return ()
