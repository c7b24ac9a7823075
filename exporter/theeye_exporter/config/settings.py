"""The effective configuration: typed, complete and immutable. Durations are seconds, sizes bytes."""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from theeye_exporter.config.addresses import ListenAddress

__all__ = [
    "AuthMethod",
    "CollectorSettings",
    "CollectorsSettings",
    "HistogramSettings",
    "HistogramsSettings",
    "JobsSettings",
    "LabelsSettings",
    "LimitsSettings",
    "LogFormat",
    "LogLevel",
    "LogSettings",
    "OrganizationSettings",
    "Settings",
    "ShardSettings",
    "StateSettings",
    "WebSettings",
]

AuthMethod = Literal["header", "query"]
LogLevel = Literal["debug", "info", "warn", "error"]
LogFormat = Literal["logfmt", "json"]

_INTERVALS_UNTIL_STALE = 5

_MINUTE = 60.0
_HOUR = 60 * _MINUTE
_BUCKETS = (
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    *(_MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE),
    *(_HOUR, 2 * _HOUR, 6 * _HOUR, 12 * _HOUR, 24 * _HOUR),
)


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


def _default_max_age(collector: dict[str, Any]) -> float:
    return float(_INTERVALS_UNTIL_STALE * collector["interval"])


class CollectorSettings(_Settings):
    """How one kind of object is polled."""

    enabled: bool = True
    interval: float
    """Seconds from one poll to the next."""
    max_age: float = Field(default_factory=_default_max_age)
    """Seconds for which the last good answer is shown while polls fail; five intervals unless given."""


class JobsSettings(CollectorSettings):
    """How jobs are polled; the result of each finished job costs a request of its own."""

    max_details_per_cycle: int = 200
    """Results fetched in one poll at most; the rest waits for the next."""
    detail_concurrency: int = 4
    """Results fetched at the same time."""
    full_list_interval: float = _HOUR
    """Seconds after which all jobs are listed instead of the changed ones: only so are deleted jobs noticed."""


class CollectorsSettings(_Settings):
    """All collectors, by name."""

    monitors: CollectorSettings = CollectorSettings(interval=30.0)
    tasks: CollectorSettings = CollectorSettings(interval=60.0)
    jobs: JobsSettings = JobsSettings(interval=15.0)
    workflows: CollectorSettings = CollectorSettings(interval=60.0)


class OrganizationSettings(_Settings):
    """One organisation of TheEye, with everything that the defaults of the file say already merged in."""

    name: str
    url: str = "https://supervisor.theeye.io"
    """Without a slash at its end."""
    token: SecretStr | None = None
    token_file: Path | None = None
    """Holds the token; read again by whoever uses it, so that a token can be replaced while the exporter runs."""
    auth: AuthMethod = "header"
    timeout: float = 10.0
    """Seconds for a whole response."""
    collectors: CollectorsSettings = CollectorsSettings()

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        if (self.token is None) == (self.token_file is None):
            raise ValueError("an organisation has either a token or a token_file")
        return self


class WebSettings(_Settings):
    """Where metrics are served."""

    listen_addresses: tuple[ListenAddress, ...] = (ListenAddress("", 9855),)
    telemetry_path: str = "/metrics"
    enable_lifecycle: bool = False
    """Whether a request may reload the configuration."""
    config_file: Path | None = None
    """TLS, users and headers, in the format of the Exporter Toolkit; read by whoever uses it."""


class LogSettings(_Settings):
    """What is logged, and how."""

    level: LogLevel = "info"
    format: LogFormat = "logfmt"


class StateSettings(_Settings):
    """What survives a restart."""

    file: Path | None = None
    """Which runs are counted, and the counts; None keeps them in memory."""


class ShardSettings(_Settings):
    """Which share of the organisations is this process's."""

    index: int = 0
    """From 0."""
    count: int = 1


class HistogramSettings(_Settings):
    """One histogram."""

    enabled: bool = True
    buckets: tuple[float, ...] = _BUCKETS
    """Upper bounds in seconds, increasing, without the infinite one."""


class HistogramsSettings(_Settings):
    """All histograms, by name."""

    job_duration: HistogramSettings = HistogramSettings()
    job_turnaround: HistogramSettings = HistogramSettings()
    workflow_turnaround: HistogramSettings = HistogramSettings()


class LimitsSettings(_Settings):
    """What protects Prometheus and this process from too much."""

    max_series_per_family: int = 1_000_000
    max_response_bytes: int = 512 * 2**20


class LabelsSettings(_Settings):
    """Which optional labels are shown."""

    tags: bool = True
    """Whether the ``_info`` series carry the label ``tags``."""


class Settings(_Settings):
    """The whole configuration."""

    organizations: tuple[OrganizationSettings, ...]
    """Those of this process's shard."""
    elsewhere: int = 0
    """How many organisations belong to other shards."""
    web: WebSettings = WebSettings()
    log: LogSettings = LogSettings()
    state: StateSettings = StateSettings()
    shard: ShardSettings = ShardSettings()
    histograms: HistogramsSettings = HistogramsSettings()
    limits: LimitsSettings = LimitsSettings()
    labels: LabelsSettings = LabelsSettings()
    config_file: Path | None = None
