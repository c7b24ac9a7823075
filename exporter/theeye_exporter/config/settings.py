"""All settings of the exporter. The schema of the file, flags, variables and documentation are derived from them."""

from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol
from urllib.parse import unquote, urlsplit

from pydantic import Field, create_model

from theeye_exporter.collectors.registry import COLLECTORS
from theeye_exporter.collectors.settings import CollectorSettings
from theeye_exporter.config import sections
from theeye_exporter.config.sections import (
    CONFIG_FILE,
    LogSettings,
    StateSettings,
    TheEyeSettings,
    WebSettings,
)
from theeye_exporter.values import parsers
from theeye_exporter.values.durations import format_duration
from theeye_exporter.values.errors import Problem
from theeye_exporter.values.settings import BOOLEAN, Kind, Setting, SettingsModel, integer

__all__ = [
    "CollectorsSettings",
    "HasOrganizations",
    "HistogramSettings",
    "HistogramsSettings",
    "LabelsSettings",
    "LimitsSettings",
    "OrganizationSettings",
    "Settings",
    "ShardSettings",
    "secrets_in",
]

_SHORTEST_TOKEN = 20
_MINUTE = 60.0
_HOUR = 60 * _MINUTE
_DEFAULT_BUCKETS = (
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    *(_MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE),
    *(_HOUR, 2 * _HOUR, 6 * _HOUR, 12 * _HOUR, 24 * _HOUR),
)

_BUCKETS = Kind(
    "durations",
    parsers.parse_bucket,
    format_duration,
    "1 to 50, each longer than the one before",
    listed=parsers.parse_bucket_list,
    check_list=parsers.check_buckets,
)
_MAX_SERIES = Setting(
    integer(1, 10**9),
    "maximum series per family and organisation; others are left out and counted",
    "--limits.max-series-per-family",
)
_ORGANIZATION_FILES = Setting(
    Kind(
        "files",
        parsers.parse_file_pattern,
        limits="a path or a pattern, such as conf.d/*.yaml, or a list of them",
        listed=parsers.parse_one_or_more,
    ),
    "files that list more organisations",
)
_SIZE = Kind("size", parsers.parse_size, parsers.format_size, "bytes, or with KiB, MiB or GiB")


if TYPE_CHECKING:

    class CollectorsSettings(SettingsModel):
        """All collectors, by name."""

        def __init__(self, **collectors: CollectorSettings) -> None: ...
        def __getattr__(self, name: str) -> Any: ...

else:
    CollectorsSettings = create_model(
        "CollectorsSettings",
        __base__=SettingsModel,
        __doc__="All collectors, by name.",
        **{kind.name: (kind.settings, kind.default_settings()) for kind in COLLECTORS},
    )


class OrganizationSettings(sections.OrganizationSettings):
    """One item of ``organizations:``. In `Settings`, the defaults for all organisations are merged in."""

    collectors: CollectorsSettings = CollectorsSettings()


class ShardSettings(SettingsModel):
    """``shard:``, the share of the organisations that this process serves."""

    index: Annotated[int, Setting(integer(0, 999), "number of this shard, less than `count`", "--shard.index")] = 0
    count: Annotated[int, Setting(integer(1, 1000), "total number of shards", "--shard.count")] = 1


class HistogramSettings(SettingsModel):
    """One histogram."""

    enabled: Annotated[bool, Setting(BOOLEAN, "show the histogram")] = True
    buckets: Annotated[tuple[float, ...], Setting(_BUCKETS, "upper bounds, without `+Inf`")] = _DEFAULT_BUCKETS
    """Seconds, without the infinite bound."""


class HistogramsSettings(SettingsModel):
    """``histograms:``, by name."""

    job_duration: HistogramSettings = Field(HistogramSettings(), description="how long a job ran")
    job_turnaround: HistogramSettings = Field(HistogramSettings(), description="from the creation of a job to its end")
    workflow_turnaround: HistogramSettings = Field(
        HistogramSettings(), description="from the creation of a run of a workflow to its end"
    )


class LimitsSettings(SettingsModel):
    """``limits:``, which protect Prometheus and this process from too much data."""

    max_series_per_family: Annotated[int, _MAX_SERIES] = 1_000_000
    max_response_bytes: Annotated[int, Setting(_SIZE, "maximum size of a response, after decompression")] = 64 * 2**20


class LabelsSettings(SettingsModel):
    """``labels:``, which optional labels are shown."""

    tags: Annotated[bool, Setting(BOOLEAN, "show the label `tags` of monitors, tasks, workflows and indicators")] = True


class Settings(SettingsModel):
    """The whole configuration. The file has the same sections in the same order."""

    config_file: Annotated[Path | None, CONFIG_FILE] = None
    theeye: TheEyeSettings = TheEyeSettings()
    """Defaults, already merged into each organisation."""
    organizations: tuple[OrganizationSettings, ...] = ()
    """The organisations of this process's shard."""
    organization_files: Annotated[tuple[str, ...], _ORGANIZATION_FILES] = ()
    """Their organisations are in `organizations`."""
    elsewhere: int = 0
    """How many organisations belong to other shards."""
    collectors: CollectorsSettings = CollectorsSettings()
    """Defaults, already merged into each organisation."""
    web: WebSettings = WebSettings()
    log: LogSettings = LogSettings()
    state: StateSettings = StateSettings()
    shard: ShardSettings = ShardSettings()
    histograms: HistogramsSettings = HistogramsSettings()
    limits: LimitsSettings = LimitsSettings()
    labels: LabelsSettings = LabelsSettings()
    problems: tuple[Problem, ...] = ()
    """Mistakes in organisation files; of each such file, the last valid content is in effect, if there was any."""


class HasOrganizations(Protocol):
    """A configuration with organisations."""

    @property
    def organizations(self) -> Sequence[sections.OrganizationSettings]:
        """The organisations."""


def secrets_in(settings: HasOrganizations) -> list[str]:
    """Return the tokens and the proxies' passwords in the configuration itself; they must not appear in the log."""
    found = []
    for organization in settings.organizations:
        if organization.token is not None:
            found.append(organization.token.get_secret_value())
        if organization.proxy_url is not None:
            parts = urlsplit(organization.proxy_url.get_secret_value())
            # The header has them in Base64; `Secrets` finds the percent-encoded password itself.
            user, password = unquote(parts.username or ""), unquote(parts.password or "")
            encoded = b64encode(f"{user}:{password}".encode("latin-1", "replace")).decode()
            # Some proxies take a token as the user. A short user beside a password is a name, which the log may need.
            is_token = len(user) >= _SHORTEST_TOKEN or not password
            found += [password, user if is_token else "", encoded] if user or password else []
    return found
