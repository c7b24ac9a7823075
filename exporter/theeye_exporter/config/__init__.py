"""The exporter's configuration: a YAML file, overridden by the environment, overridden by flags."""

from theeye_exporter.config.addresses import ListenAddress
from theeye_exporter.config.choosing import only
from theeye_exporter.config.description import describe
from theeye_exporter.config.flags import add_flags, add_variables
from theeye_exporter.config.loading import load
from theeye_exporter.config.organization_files import Kept
from theeye_exporter.config.problems import ReloadError
from theeye_exporter.config.sections import LogSettings, StateSettings, TheEyeSettings, TlsSettings, WebSettings
from theeye_exporter.config.settings import (
    CollectorsSettings,
    HistogramSettings,
    HistogramsSettings,
    LabelsSettings,
    LimitsSettings,
    OrganizationSettings,
    Settings,
    ShardSettings,
    secrets_in,
)
from theeye_exporter.values.errors import ConfigError, Problem

__all__ = [
    "CollectorsSettings",
    "ConfigError",
    "HistogramSettings",
    "HistogramsSettings",
    "Kept",
    "LabelsSettings",
    "LimitsSettings",
    "ListenAddress",
    "LogSettings",
    "OrganizationSettings",
    "Problem",
    "ReloadError",
    "Settings",
    "ShardSettings",
    "StateSettings",
    "TheEyeSettings",
    "TlsSettings",
    "WebSettings",
    "add_flags",
    "add_variables",
    "describe",
    "load",
    "only",
    "secrets_in",
]
