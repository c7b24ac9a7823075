"""The reference for users is complete, and its example works."""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import yaml
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from config.configurations import configure
from documents import code_blocks, document
from theeye_exporter.config import (
    CollectorsSettings,
    HistogramSettings,
    LabelsSettings,
    LimitsSettings,
    LogSettings,
    OrganizationSettings,
    Settings,
    WebSettings,
    add_flags,
    add_variables,
)
from theeye_exporter.config.problems import Report
from theeye_exporter.config.schema import section_of
from theeye_exporter.config.web_file import RateLimit, read_web_file
from theeye_exporter.config.web_schema import WebFileSchema
from theeye_exporter.values.settings import Setting, model_in, setting_of, settings_in
from web.certificates import Authority

REFERENCE = document("docs/configuration.md")
WEB_REFERENCE = document("docs/web-config.md")


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
    (example,) = code_blocks(REFERENCE, "yaml")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/demo").write_text("token", encoding="utf-8")
    certificate, key = Authority(tmp_path).server
    certificate.rename(tmp_path / "exporter.pem")
    key.rename(tmp_path / "exporter.key")

    settings = configure(file=tmp_path / "config.yml", text=example)

    demo, factory = settings.organizations
    assert (demo.name, demo.token, demo.token_file) == ("demo", None, tmp_path / "secrets/demo")
    assert (demo.url, demo.auth, demo.timeout) == ("https://supervisor.theeye.io", "header", 10.0)
    files = [tmp_path / name for name in ("ca.pem", "exporter.pem", "exporter.key")]
    assert [demo.tls_config.ca_file, demo.tls_config.cert_file, demo.tls_config.key_file] == files
    assert demo.proxy_url == SecretStr("http://user:password@proxy.example.com:3128")
    assert (factory.no_proxy, factory.follow_redirects) == (".factory.example.com", True)
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


@pytest.mark.parametrize("key", sorted(set(keys_of(section_of(Settings)))))
def test_every_key_is_described(key: str) -> None:
    assert f"`{key}`" in REFERENCE


@pytest.mark.parametrize("key", sorted(set(keys_of(WebFileSchema))))
def test_every_key_of_web_configuration_files_is_described(key: str) -> None:
    assert f"`{key}`" in WEB_REFERENCE


def test_example_of_a_web_configuration_file_works_and_has_every_key(tmp_path: Path) -> None:
    example, _ = code_blocks(WEB_REFERENCE, "yaml")
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


@pytest.mark.parametrize(
    ("place", "setting"),
    dict([*settings_in(Settings), *settings_in(OrganizationSettings)]).items(),
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else "",
)
def test_documentation_of_a_setting_fits_help_and_tables(place: tuple[str, ...], setting: Setting) -> None:
    assert setting.doc[0].islower() or setting.doc.split()[0].isupper(), place
    assert not setting.doc.endswith((".", ";"))
    assert "\n" not in setting.doc
    assert "{" not in setting.doc + setting.flag
    if setting.flag:
        assert len(setting.doc) <= 80
        assert setting.flag.startswith("--")


def test_flags_and_variables_are_unique() -> None:
    flags = [setting.flag for _, setting in settings_in(Settings) if setting.flag]
    variables = [setting.variable for _, setting in settings_in(OrganizationSettings) if setting.variable]
    assert len(set(flags)) == len(flags) > 10
    assert len(set(variables)) == len(variables) == 4


def test_help_says_what_a_flag_does_what_it_accepts_and_its_default() -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    add_variables(parser)
    told = " ".join(parser.format_help().split())
    for expected in (
        "--shard.count NUMBER total number of shards (1 to 1000; default 1)",
        "--log.level LEVEL lowest level that is logged (debug, info, warn or error; default info)",
        "[::1]:9855; may be repeated; default :9855)",
        "--collector.jobs, --no-collector.jobs use the collector jobs (default true)",
        "--web.enable-lifecycle, --no-web.enable-lifecycle reload on POST to /-/reload (default false)",
        "--state.file FILE file that keeps counters across restarts --shard.index",
        "THEEYE_TOKEN_FILE file that holds the token THEEYE_SUPERVISOR_URL",
    ):
        assert expected in told


def fields_of(model: type[BaseModel], *within: str) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    for key, field in model.model_fields.items():
        yield (*within, key), field
        section = model_in(field.annotation)
        if section is not None:
            yield from fields_of(section, *within, key)


def test_every_field_can_be_set_or_is_a_section() -> None:
    """A kind in place of a setting, for one, would make a key that nobody can write."""
    others = [place for place, field in fields_of(Settings) if not (setting_of(field) or model_in(field.annotation))]
    assert others == [("elsewhere",), ("problems",)]


@pytest.mark.parametrize("place", [place for place, setting in settings_in(Settings) if setting.in_file], ids=".".join)
def test_the_example_has_every_key(place: tuple[str, ...]) -> None:
    (example,) = code_blocks(REFERENCE, "yaml")
    section = yaml.safe_load(example)
    if place[:2] == ("histograms", "workflow_turnaround"):
        place = ("histograms", "job_duration", place[-1])  # it has the same keys
    for key in place[:-1]:
        section = section[key]
    assert place[-1] in section
