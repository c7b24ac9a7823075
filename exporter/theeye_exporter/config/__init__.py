"""The exporter's configuration: a YAML file, overridden by the environment, overridden by flags."""

from theeye_exporter.config.addresses import ListenAddress
from theeye_exporter.config.description import describe
from theeye_exporter.config.durations import format_duration, parse_duration
from theeye_exporter.config.flags import add_flags
from theeye_exporter.config.loading import load
from theeye_exporter.config.problems import ConfigError, Problem
from theeye_exporter.config.settings import (
    CollectorSettings,
    CollectorsSettings,
    HistogramSettings,
    HistogramsSettings,
    JobsSettings,
    LabelsSettings,
    LimitsSettings,
    LogSettings,
    OrganizationSettings,
    Settings,
    ShardSettings,
    StateSettings,
    WebSettings,
)

__all__ = [
    "CollectorSettings",
    "CollectorsSettings",
    "ConfigError",
    "HistogramSettings",
    "HistogramsSettings",
    "JobsSettings",
    "LabelsSettings",
    "LimitsSettings",
    "ListenAddress",
    "LogSettings",
    "OrganizationSettings",
    "Problem",
    "Settings",
    "ShardSettings",
    "StateSettings",
    "WebSettings",
    "add_flags",
    "describe",
    "format_duration",
    "load",
    "parse_duration",
]
