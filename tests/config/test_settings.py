"""Tests the settings: their defaults and their invalid values."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from theeye_exporter.collectors.jobs import JobsSettings
from theeye_exporter.collectors.settings import CollectorSettings
from theeye_exporter.collectors.tasks.collector import TasksSettings
from theeye_exporter.config import CollectorsSettings, ListenAddress, OrganizationSettings, Settings

SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
MINUTES = (60.0, 120.0, 300.0, 600.0, 1800.0)
HOURS = (3600.0, 7200.0, 21600.0, 43200.0, 86400.0)
BUCKETS = SECONDS + MINUTES + HOURS


def test_defaults() -> None:
    settings = Settings(organizations=())
    organization = OrganizationSettings(name="demo", token=SecretStr("token"))

    assert settings.web.listen_address == (ListenAddress("", 9855),)
    assert settings.web.telemetry_path == "/metrics"
    assert (settings.log.level, settings.log.format) == ("info", "logfmt")
    assert settings.limits.max_series_per_family == 1_000_000
    assert settings.limits.max_response_bytes == 67_108_864
    assert settings.labels.tags is True
    assert settings.config_file is None
    assert settings.state.file is None
    for _, histogram in settings.histograms:
        assert histogram.enabled is True
        assert histogram.buckets == BUCKETS
    assert organization.url == "https://supervisor.theeye.io"
    assert (organization.auth, organization.timeout) == ("header", 10.0)
    assert organization.collectors == CollectorsSettings(
        monitors=CollectorSettings(enabled=True, interval=30.0, max_age=150.0),
        tasks=TasksSettings(enabled=True, interval=60.0, max_age=300.0, full_list_interval=600.0),
        jobs=JobsSettings(
            enabled=True,
            interval=15.0,
            max_age=75.0,
            max_details_per_cycle=200,
            detail_concurrency=4,
            full_list_interval=3600.0,
        ),
        workflows=CollectorSettings(enabled=True, interval=60.0, max_age=300.0),
    )


def test_settings_cannot_be_changed() -> None:
    collector = CollectorSettings(interval=1.0)
    with pytest.raises(ValidationError, match="frozen"):
        collector.interval = 2.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("token", "token_file"), [(None, None), (SecretStr("canary"), Path("token"))], ids=["neither", "both"]
)
def test_organization_has_exactly_one_credential(token: SecretStr | None, token_file: Path | None) -> None:
    with pytest.raises(ValidationError, match="either a token or a token_file") as caught:
        OrganizationSettings(name="demo", token=token, token_file=token_file)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (ListenAddress("", 9855), ":9855"),
        (ListenAddress("127.0.0.1", 0), "127.0.0.1:0"),
        (ListenAddress("::1", 9855), "[::1]:9855"),
    ],
)
def test_listen_address_reads_as_it_is_written(address: ListenAddress, text: str) -> None:
    assert str(address) == text
