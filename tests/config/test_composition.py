"""Tests that another process can build its own file format from the same sections."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import SecretStr

from config.configurations import CANARY
from theeye_exporter.config import ListenAddress, LogSettings, StateSettings, TheEyeSettings, WebSettings, add_flags
from theeye_exporter.config.organizations import find_organizations
from theeye_exporter.config.problems import Report
from theeye_exporter.config.sections import CONFIG_FILE, OrganizationSettings
from theeye_exporter.config.sources import Sources
from theeye_exporter.config.state import check_state_file
from theeye_exporter.values.errors import ConfigError
from theeye_exporter.values.settings import Kind, Setting, SettingsModel, duration, integer
from theeye_exporter.values.text import expect_text

WORD = Kind("name", lambda value: expect_text(value, "a name"))


class CanarySettings(SettingsModel):
    """One item of ``canaries:``."""

    name: Annotated[str, Setting(WORD, "name of the canary")]
    interval: Annotated[float, Setting(duration(10.0), "time from one run to the next")] = 300.0


class ProxySettings(SettingsModel):
    """``proxy:``, a section within the sections that say how TheEye is reached."""

    name: Annotated[str, Setting(WORD, "name of the proxy")] = "none"
    timeout: Annotated[float, Setting(duration(1.0), "time limit")] = 5.0


class UpstreamSettings(TheEyeSettings):
    """``theeye:``, with one section more."""

    proxy: ProxySettings = ProxySettings()


class AccountSettings(OrganizationSettings):
    """One item of ``organizations:``, with one section more."""

    proxy: ProxySettings = ProxySettings()


class ActionsSettings(SettingsModel):
    """The whole configuration of another process."""

    config_file: Annotated[Path | None, CONFIG_FILE] = None
    theeye: UpstreamSettings = UpstreamSettings()
    organizations: tuple[AccountSettings, ...] = ()
    web: WebSettings = WebSettings(listen_address=(ListenAddress("", 9856),))
    log: LogSettings = LogSettings()
    state: StateSettings = StateSettings()
    runs: Annotated[int, Setting(integer(1, 60), "maximum runs per hour", flag="--runs")] = 60
    canaries: tuple[CanarySettings, ...] = ()


def load(*arguments: str, environ: Mapping[str, str] | None = None) -> ActionsSettings:
    parser = argparse.ArgumentParser()
    add_flags(parser, ActionsSettings)
    report = Report()
    sources = Sources(ActionsSettings, parser.parse_args(arguments), environ or {}, report)
    organizations = find_organizations(sources)
    check_state_file(sources)
    report.raise_problems()
    found = tuple(AccountSettings.model_validate(organization) for organization in organizations)
    return ActionsSettings.model_validate(sources.values | {"organizations": found})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "actions.yml"


def test_file_environment_and_flags_are_merged(file: Path) -> None:
    file.write_text(
        "theeye: {timeout: 3s}\norganizations: [{name: acme, auth: query}]\nweb: {telemetry_path: /m}\n"
        "state: {file: kept}\ncanaries: [{name: one, interval: 1m}, {name: two}]\n"
    )
    settings = load(f"--config.file={file}", "--runs=7", "--log.level=debug", environ={"THEEYE_TOKEN": CANARY})
    (acme,) = settings.organizations
    assert (acme.name, acme.token, acme.auth, acme.timeout) == ("acme", SecretStr(CANARY), "query", 3.0)
    # The default of this process stays where the file says something else of the section.
    assert settings.web == WebSettings(listen_address=(ListenAddress("", 9856),), telemetry_path="/m")
    assert (settings.log.level, settings.runs, settings.state.file) == ("debug", 7, file.parent / "kept")
    assert settings.canaries == (CanarySettings(name="one", interval=60.0), CanarySettings(name="two"))
    assert settings.config_file == file


def test_sections_within_an_organization_win_key_by_key(file: Path) -> None:
    file.write_text(
        "theeye: {proxy: {name: shared, timeout: 2s}}\n"
        "organizations: [{name: a, token: t, proxy: {name: own}}, {name: b, token: t}]\n"
    )
    settings = load(f"--config.file={file}")
    assert [organization.proxy for organization in settings.organizations] == [
        ProxySettings(name="own", timeout=2.0),
        ProxySettings(name="shared", timeout=2.0),
    ]


def test_all_mistakes_are_reported_at_once(file: Path) -> None:
    file.write_text(
        "organizations: [{name: acme, token: t}]\n"
        "collectors: {}\n"
        "canaries:\n  - {name: one, intervall: 1m}\n  - {name: two, interval: 5s}\n  - three\n"
        "state: {file: nowhere/kept}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load(f"--config.file={file}", "--runs=61", "--web.listen-address=9856")
    assert [str(problem).removeprefix(f"{file}:") for problem in caught.value.problems] == [
        "2: collectors: unknown key; valid keys are theeye, organizations, web, log, state, runs, canaries",
        '4: canaries[0].intervall: unknown key; did you mean "interval"?',
        "5: canaries[1].interval: expected at least 10s, got 5s",
        "6: canaries[2]: expected keys (name, interval), got three",
        f"7: state.file: no such folder: {file.parent}/nowhere; name a file in an existing folder",
        (
            "command line: --web.listen-address: expected an address such as :9855, 127.0.0.1:9855 or [::1]:9855, "
            'got 9856; did you mean ":9856"?'
        ),
        "command line: --runs: expected a whole number from 1 to 60, got 61",
    ]


def test_help_shows_its_flags_and_their_defaults() -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser, ActionsSettings)
    told = " ".join(parser.format_help().split())
    assert "--runs NUMBER maximum runs per hour (1 to 60; default 60)" in told
    assert "may be repeated; default :9856)" in told
    assert "--collector" not in told
