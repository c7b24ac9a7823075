"""The effective configuration, for people."""

from typing import Any

import yaml

from theeye_exporter.config.durations import format_duration
from theeye_exporter.config.settings import CollectorSettings, OrganizationSettings, Settings
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
        },
        "log": settings.log.model_dump(),
        "limits": {
            "max_series_per_family": limits.max_series_per_family,
            "max_response_bytes": format_size(limits.max_response_bytes),
        },
        "labels": settings.labels.model_dump(),
    }
    return yaml.safe_dump(sections, sort_keys=False, allow_unicode=True, width=120)


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
    return collector.model_dump() | durations
