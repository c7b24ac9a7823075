"""The effective configuration, for people."""

from typing import Any

import yaml

from theeye_exporter.config.durations import format_duration
from theeye_exporter.config.settings import (
    CollectorSettings,
    HistogramSettings,
    JobsSettings,
    OrganizationSettings,
    Settings,
)
from theeye_exporter.config.values import format_size

__all__ = ["describe"]


def describe(settings: Settings) -> str:
    """Return the effective configuration as YAML that could stand in the file, except that tokens are not shown."""
    limits = settings.limits
    sections = {
        "organizations": [_organization(organization) for organization in settings.organizations],
        "web": {
            "listen_address": [str(address) for address in settings.web.listen_addresses],
            "telemetry_path": settings.web.telemetry_path,
            "enable_lifecycle": settings.web.enable_lifecycle,
        },
        "log": settings.log.model_dump(),
        # "file: null" would be refused when read back.
        "state": {} if settings.state.file is None else {"file": str(settings.state.file)},
        "shard": settings.shard.model_dump(),
        "histograms": {name: _histogram(histogram) for name, histogram in settings.histograms},
        "limits": {
            "max_series_per_family": limits.max_series_per_family,
            "max_response_bytes": format_size(limits.max_response_bytes),
        },
        "labels": settings.labels.model_dump(),
    }
    return yaml.dump(sections, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _OneLine(list[str]):
    """A list that is written in brackets: buckets are many, and short."""


class _Dumper(yaml.SafeDumper):
    """Writes YAML."""

    def represent_one_line(self, items: _OneLine) -> yaml.Node:
        """Return the list in brackets."""
        return self.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=True)


_Dumper.add_representer(_OneLine, _Dumper.represent_one_line)


def _organization(organization: OrganizationSettings) -> dict[str, Any]:
    credential = (
        {"token": "<redacted>"} if organization.token_file is None else {"token_file": str(organization.token_file)}
    )
    return {
        "name": organization.name,
        **credential,
        "url": organization.url,
        "auth": organization.auth,
        "timeout": format_duration(organization.timeout),
        "collectors": {name: _collector(collector) for name, collector in organization.collectors},
    }


def _collector(collector: CollectorSettings) -> dict[str, Any]:
    durations = {"interval": format_duration(collector.interval), "max_age": format_duration(collector.max_age)}
    if isinstance(collector, JobsSettings):
        durations["full_list_interval"] = format_duration(collector.full_list_interval)
    return collector.model_dump() | durations


def _histogram(histogram: HistogramSettings) -> dict[str, Any]:
    return {"enabled": histogram.enabled, "buckets": _OneLine(map(format_duration, histogram.buckets))}
