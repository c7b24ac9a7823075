"""Tests which value wins: defaults < file < environment < flags, and an organisation's own over the general ones."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from config.configurations import configure, problems_of
from theeye_exporter.config import HistogramSettings, HistogramsSettings, ListenAddress

SHARED = """\
theeye:
  url: https://shared.example.com/
  auth: query
  timeout: 20s
collectors:
  monitors: {interval: 1m, max_age: 10m}
  jobs: {max_details_per_cycle: 50, full_list_interval: 30m}
  workflows: {interval: 3m}
organizations:
  - name: plain
    token: one
  - name: special
    token: two
    url: http://special.example.com:60080/api/
    timeout: 5s
    collectors:
      monitors: {interval: 2m}
      tasks: {enabled: false}
      jobs: {interval: 30s, detail_concurrency: 1, full_list_interval: 2h}
      workflows: {max_age: 20m}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "exporter.yml"


def test_organization_takes_what_all_share(file: Path) -> None:
    plain, _ = configure(file=file, text=SHARED).organizations

    assert (plain.name, plain.token, plain.token_file) == ("plain", SecretStr("one"), None)
    assert (plain.url, plain.auth, plain.timeout) == ("https://shared.example.com", "query", 20.0)
    assert (plain.collectors.monitors.interval, plain.collectors.monitors.max_age) == (60.0, 600.0)
    assert (plain.collectors.tasks.enabled, plain.collectors.tasks.interval) == (True, 60.0)
    assert (plain.collectors.jobs.interval, plain.collectors.jobs.max_age) == (15.0, 75.0)
    assert (plain.collectors.jobs.max_details_per_cycle, plain.collectors.jobs.detail_concurrency) == (50, 4)
    assert plain.collectors.jobs.full_list_interval == 1800.0
    assert (plain.collectors.workflows.interval, plain.collectors.workflows.max_age) == (180.0, 900.0)


def test_organization_overrides_key_by_key(file: Path) -> None:
    _, special = configure(file=file, text=SHARED).organizations

    assert (special.url, special.auth, special.timeout) == ("http://special.example.com:60080/api", "query", 5.0)
    assert (special.collectors.monitors.interval, special.collectors.monitors.max_age) == (120.0, 600.0)
    assert special.collectors.tasks.enabled is False
    assert (special.collectors.jobs.interval, special.collectors.jobs.max_age) == (30.0, 150.0)
    assert (special.collectors.jobs.max_details_per_cycle, special.collectors.jobs.detail_concurrency) == (50, 1)
    assert special.collectors.jobs.full_list_interval == 7200.0
    assert (special.collectors.workflows.interval, special.collectors.workflows.max_age) == (180.0, 1200.0)


def test_url_of_the_environment_is_for_organizations_without_their_own(file: Path) -> None:
    environ = {"THEEYE_SUPERVISOR_URL": "https://environment.example.com"}
    plain, special = configure(file=file, text=SHARED, environ=environ).organizations

    assert plain.url == "https://environment.example.com"
    assert special.url == "http://special.example.com:60080/api"


def test_flags_override_the_file(file: Path) -> None:
    text = f"""\
{SHARED}
web: {{listen_address: "127.0.0.1:1", telemetry_path: /file}}
log: {{level: debug, format: json}}
limits: {{max_series_per_family: 5, max_response_bytes: 1KiB}}
labels: {{tags: false}}
"""
    flags = [
        "--web.listen-address=:2",
        "--web.listen-address",
        "[::1]:3",
        "--web.telemetry-path=/flag",
        "--log.level=error",
        "--log.format=logfmt",
        "--limits.max-series-per-family=7",
        "--collector.tasks",
        "--no-collector.monitors",
        "--no-collector.workflows",
    ]

    of_file = configure(file=file, text=text)
    of_flags = configure(*flags, file=file, text=text)

    assert of_file.web.listen_address == (ListenAddress("127.0.0.1", 1),)
    assert (of_file.web.telemetry_path, of_file.log.level, of_file.log.format) == ("/file", "debug", "json")
    assert of_flags.web.listen_address == (ListenAddress("", 2), ListenAddress("::1", 3))
    assert (of_flags.web.telemetry_path, of_flags.log.level, of_flags.log.format) == ("/flag", "error", "logfmt")
    assert (of_file.limits.max_series_per_family, of_flags.limits.max_series_per_family) == (5, 7)
    assert of_flags.limits.max_response_bytes == 1024
    assert of_flags.labels.tags is False
    assert of_flags.config_file == file
    for organization in of_flags.organizations:
        assert organization.collectors.tasks.enabled is True
        assert organization.collectors.monitors.enabled is False
        assert organization.collectors.jobs.enabled is True
        assert organization.collectors.workflows.enabled is False


def test_list_of_listen_addresses(file: Path) -> None:
    text = 'organizations: [{name: a, token: b}]\nweb: {listen_address: [":9855", "localhost:9856", "[::]:9857"]}\n'
    assert configure(file=file, text=text).web.listen_address == (
        ListenAddress("", 9855),
        ListenAddress("localhost", 9856),
        ListenAddress("::", 9857),
    )


def test_text_needs_no_quotes(file: Path) -> None:
    """YAML would make booleans, numbers and dates of these."""
    text = """\
organizations:
  - {name: no, token: 0123456}
  - {name: 007, token: 1e5}
  - {name: 2024-01-01, token: "quoted"}
"""
    organizations = configure(file=file, text=text).organizations
    assert [(one.name, one.token) for one in organizations] == [
        ("no", SecretStr("0123456")),
        ("007", SecretStr("1e5")),
        ("2024-01-01", SecretStr("quoted")),
    ]


def test_aliases_and_merge_keys(file: Path) -> None:
    text = """\
organizations:
  - &first
    name: first
    token: one
    timeout: 5s
    auth: query
  - <<: *first
    name: second
    timeout: 7s
  - name: third
    token: three
    <<: [*first, {timeout: 9s}]
"""
    organizations = configure(file=file, text=text).organizations
    assert [(one.name, one.token, one.timeout, one.auth) for one in organizations] == [
        ("first", SecretStr("one"), 5.0, "query"),
        ("second", SecretStr("one"), 7.0, "query"),
        ("third", SecretStr("three"), 5.0, "query"),
    ]


def test_sections_without_keys_say_nothing(file: Path) -> None:
    text = """\
theeye:
collectors:
  jobs:
web:
state:
histograms:
  job_duration:
organizations:
  - {name: a, token: b, collectors: }
"""
    settings = configure(file=file, text=text)
    assert settings.state.file is None
    assert settings.histograms == HistogramsSettings()
    assert settings.web.telemetry_path == "/metrics"
    assert settings.organizations[0].collectors.jobs.interval == 15.0


def test_values_around_a_token_or_name_are_trimmed(file: Path) -> None:
    text = 'organizations: [{name: " a ", token: " b\\n"}]\n'
    (organization,) = configure(file=file, text=text).organizations
    assert (organization.name, organization.token) == ("a", SecretStr("b"))


def test_token_file_is_relative_to_the_configuration_file(file: Path) -> None:
    (file.parent / "secrets").mkdir()
    (file.parent / "secrets/token").write_text("token\n", encoding="utf-8")
    text = "organizations: [{name: a, token_file: secrets/token}]\n"
    (organization,) = configure(file=file, text=text).organizations
    assert (organization.token, organization.token_file) == (None, file.parent / "secrets/token")


def test_histograms_override_key_by_key(file: Path) -> None:
    text = """\
organizations: [{name: a, token: b}]
histograms:
  job_duration: {enabled: false}
  workflow_turnaround: {buckets: [1ms, 500ms, 1h30m, 1d]}
"""
    histograms = configure(file=file, text=text).histograms
    assert histograms.job_duration == HistogramSettings(enabled=False)
    assert histograms.job_turnaround == HistogramSettings()
    assert histograms.workflow_turnaround == HistogramSettings(buckets=(0.001, 0.5, 5400.0, 86_400.0))


@pytest.mark.parametrize("count", [1, 50])
def test_number_of_buckets(file: Path, count: int) -> None:
    buckets = ", ".join(f"{seconds}s" for seconds in range(1, count + 1))
    text = f"organizations: [{{name: a, token: b}}]\nhistograms: {{job_duration: {{buckets: [{buckets}]}}}}\n"
    assert len(configure(file=file, text=text).histograms.job_duration.buckets) == count


@pytest.mark.parametrize(
    ("written", "size"), [("1", 1), ("7B", 7), ("1KiB", 1024), ("256 MiB", 268_435_456), ("2GiB", 2_147_483_648)]
)
def test_sizes(file: Path, written: str, size: int) -> None:
    text = f"organizations: [{{name: a, token: b}}]\nlimits: {{max_response_bytes: {written}}}\n"
    assert configure(file=file, text=text).limits.max_response_bytes == size


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("https://supervisor.theeye.io///", "https://supervisor.theeye.io"),
        ("HTTP://Localhost:60080", "http://Localhost:60080"),
        ("http://[::1]:80/x/", "http://[::1]:80/x"),
        ("http://10.0.0.1", "http://10.0.0.1"),
        ("http://the_eye:60080/", "http://the_eye:60080"),
    ],
)
def test_urls(file: Path, written: str, url: str) -> None:
    text = f"organizations: [{{name: a, token: b, url: '{written}'}}]\n"
    assert configure(file=file, text=text).organizations[0].url == url


def test_bounds_are_included(file: Path) -> None:
    text = """\
theeye: {timeout: 10m}
organizations: [{name: a, token: b}]
collectors:
  monitors: {interval: 1s, max_age: 2s}
  jobs: {max_details_per_cycle: 0, detail_concurrency: 64, full_list_interval: 1m}
limits: {max_series_per_family: 1}
"""
    (organization,) = configure(file=file, text=text).organizations
    assert organization.timeout == 600.0
    assert (organization.collectors.monitors.interval, organization.collectors.monitors.max_age) == (1.0, 2.0)
    assert organization.collectors.jobs.max_details_per_cycle == 0
    assert organization.collectors.jobs.full_list_interval == 60.0


def test_shared_max_age_too_short_for_several_organizations_is_told_once(file: Path) -> None:
    text = "organizations: [{name: a, token: b}, {name: c, token: d}]\ncollectors: {jobs: {max_age: 1s}}\n"
    (problem,) = problems_of(file=file, text=text)
    assert problem.startswith("2: collectors.jobs.max_age: max_age (1s) is shorter than two intervals (15s each); give")
