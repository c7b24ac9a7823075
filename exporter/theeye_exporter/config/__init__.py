"""The exporter's configuration: a YAML file, overridden by the environment, overridden by flags.

What reads it is imported from its own module: flags are made of the declarations here, and need no YAML.
"""

from theeye_exporter.config.addresses import ListenAddress
from theeye_exporter.config.choosing import only
from theeye_exporter.config.flags import add_flags, add_variables
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
    "only",
    "secrets_in",
]
