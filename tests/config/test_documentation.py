"""The reference for users is complete, and its example works."""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel, SecretStr

from config.configurations import configure
from theeye_exporter.config import (
    CollectorsSettings,
    HistogramSettings,
    LabelsSettings,
    LimitsSettings,
    LogSettings,
    WebSettings,
    add_flags,
    parse_duration,
)
from theeye_exporter.config.problems import Report
from theeye_exporter.config.schema import FileSettings
from theeye_exporter.config.web_file import RateLimit, read_web_file
from theeye_exporter.config.web_schema import WebFileSchema
from web.certificates import Authority

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = (DOCS / "configuration.md").read_text(encoding="utf-8")
WEB_REFERENCE = (DOCS / "web-config.md").read_text(encoding="utf-8")


def keys_of(section: type[BaseModel]) -> Iterator[str]:
    for key, field in section.model_fields.items():
        yield key
        yield from keys_within(field.annotation)


def keys_within(annotation: object) -> Iterator[str]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from keys_of(annotation)
    for argument in get_args(annotation):
        yield from keys_within(argument)


def test_example_loads_and_shows_the_defaults(tmp_path: Path) -> None:
    (example,) = re.findall("```yaml\n(.*?)```", REFERENCE, re.DOTALL)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/demo").write_text("token", encoding="utf-8")

    settings = configure(file=tmp_path / "config.yml", text=example)

    demo, factory = settings.organizations
    assert (demo.name, demo.token, demo.token_file) == ("demo", None, tmp_path / "secrets/demo")
    assert (demo.url, demo.auth, demo.timeout) == ("https://supervisor.theeye.io", "header", 10.0)
    assert demo.collectors == CollectorsSettings()
    assert (factory.name, factory.token) == ("factory", SecretStr("3f1c8a90-replace-me"))
    assert (factory.url, factory.auth, factory.timeout) == ("https://theeye.factory.example.com", "query", 30.0)
    assert (factory.collectors.monitors.interval, factory.collectors.monitors.max_age) == (60.0, 150.0)
    assert factory.collectors.tasks.enabled is False
    assert settings.web == WebSettings()
    assert settings.log == LogSettings()
    assert settings.state.file == tmp_path / "exporter.state"
    assert settings.histograms.job_duration == HistogramSettings()
    assert settings.histograms.job_turnaround.buckets == (1.0, 5.0, 30.0, 60.0, 300.0, 1800.0, 3600.0, 21600.0, 86400.0)
    assert settings.histograms.workflow_turnaround == HistogramSettings(enabled=False)
    assert settings.limits == LimitsSettings()
    assert settings.labels == LabelsSettings()


def test_default_buckets_are_those_described() -> None:
    row = next(line for line in REFERENCE.splitlines() if line.startswith("| `buckets` |"))
    described = re.findall("`([^`]+)`", row.split("|")[2])
    assert tuple(map(parse_duration, described)) == HistogramSettings().buckets


@pytest.mark.parametrize("key", sorted(set(keys_of(FileSettings))))
def test_every_key_is_described(key: str) -> None:
    assert f"`{key}`" in REFERENCE


@pytest.mark.parametrize("key", sorted(set(keys_of(WebFileSchema))))
def test_every_key_of_web_configuration_files_is_described(key: str) -> None:
    assert f"`{key}`" in WEB_REFERENCE


def test_example_of_a_web_configuration_file_works_and_has_every_key(tmp_path: Path) -> None:
    example, _ = re.findall("```yaml\n(.*?)```", WEB_REFERENCE, re.DOTALL)
    authority = Authority(tmp_path)
    certificate, key = authority.server
    certificate.rename(tmp_path / "server.crt")
    key.rename(tmp_path / "server.key")
    authority.file.rename(tmp_path / "ca.crt")
    (tmp_path / "web.yml").write_text(example, encoding="utf-8")
    report = Report()

    read = read_web_file(tmp_path / "web.yml", report)

    assert report.problems() == ()
    assert (read.remarks, read.rate_limit) == ((), RateLimit(1.0, 20))
    inline = {"cert", "key", "client_ca"}
    assert all(f"{key}:" in example for key in set(keys_of(WebFileSchema)) - inline)


def test_exactly_the_flags_that_exist_are_described() -> None:
    parser = argparse.ArgumentParser(add_help=False)
    add_flags(parser)
    described = set(re.findall(r"`(--[a-z]+[a-z.-]*\.[a-z-]+)`", REFERENCE))
    assert described == set(parser._option_string_actions)
