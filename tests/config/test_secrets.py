"""Tests that tokens are never shown, whatever the file contains."""

import traceback
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.configurations import CANARY, configure
from theeye_exporter.config import ConfigError, Settings
from theeye_exporter.config.description import describe

VALID = f"""\
theeye:
  url: https://supervisor.theeye.io
  auth: header
  timeout: 10s
  proxy_url: "http://exporter:{CANARY}@127.0.0.1:3128"
  follow_redirects: true
organizations:
  - name: demo
    token: {CANARY}
  - name: other
    token: "{CANARY}"
    collectors: {{jobs: {{interval: 20s, max_age: 60s, full_list_interval: 1h}}, workflows: {{enabled: false}}}}
collectors:
  monitors: {{enabled: true, interval: 30s}}
web:
  listen_address: [":9855", "[::1]:9855"]
  telemetry_path: /metrics
log: {{level: info, format: json}}
limits: {{max_series_per_family: 1000, max_response_bytes: 256MiB}}
labels: {{tags: false}}
histograms: {{job_duration: {{enabled: true, buckets: [1s, 1m]}}}}
state: {{file: exporter.state}}
"""
LINES = VALID.splitlines()
SPECIAL = st.text(st.sampled_from("\n\t :-{}[]\"'#&*!|>%@`,?<~xé\U0001f600"), max_size=4)
# Messages may repeat values of up to this length, but no longer part of a token.
LONGEST_SHOWN = 12


def leaks(text: str) -> bool:
    parts = {CANARY[start : start + LONGEST_SHOWN + 1] for start in range(len(CANARY) - LONGEST_SHOWN)}
    return any(part in text for part in parts)


def outcome(
    file: Path | None = None, text: str | None = None, environ: Mapping[str, str] | None = None
) -> Settings | ConfigError:
    try:
        return configure(file=file, text=text, environ=environ)
    except ConfigError as error:
        return error


def assert_discreet(result: Settings | ConfigError) -> None:
    """Check that each problem is one line, and that nothing shows the token."""
    if isinstance(result, ConfigError):
        assert result.problems
        assert all(str(problem).isprintable() for problem in result.problems)
        assert not leaks("".join(traceback.format_exception(result)) + repr(result) + repr(result.problems))
    # A file that calls an organization by the token's name is answered with that name.
    elif not any(leaks(organization.name) for organization in result.organizations):
        assert not leaks(f"{result!r} {describe(result)}")


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("secrets") / "exporter.yml"


def test_settings_do_not_show_tokens(file: Path) -> None:
    settings = configure(file=file, text=VALID)

    token = settings.organizations[0].token
    assert token is not None
    assert token.get_secret_value() == CANARY
    assert not leaks(f"{settings!r} {settings} {describe(settings)} {settings.model_dump_json()}")


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_configuration_or_config_error(file: Path, text: str) -> None:
    assert_discreet(outcome(file, text))


@given(
    cut=st.tuples(st.integers(0, len(VALID)), st.integers(0, 12), SPECIAL),
    change=st.sampled_from(["delete", "double", "swap", "indent", "outdent", "join"]),
    places=st.tuples(st.integers(0, len(LINES) - 1), st.integers(0, len(LINES) - 1)),
)
def test_mutated_file_never_shows_the_token(
    file: Path, cut: tuple[int, int, str], change: str, places: tuple[int, int]
) -> None:
    start, length, inserted = cut
    lines = (VALID[:start] + inserted + VALID[start + length :]).splitlines()
    first, second = (min(place, len(lines) - 1) for place in places)
    match change:
        case "delete":
            del lines[first]
        case "double":
            lines.insert(second, lines[first])
        case "swap":
            lines[first], lines[second] = lines[second], lines[first]
        case "indent":
            lines[first] = f"  {lines[first]}"
        case "outdent":
            lines[first] = lines[first].removeprefix("  ")
        case _:
            lines[first : first + 2] = ["".join(lines[first : first + 2])]
    assert_discreet(outcome(file, "\n".join(lines)))


@pytest.mark.parametrize("line", range(len(LINES)))
def test_token_in_the_place_of_any_value_is_not_repeated(file: Path, line: int) -> None:
    lines = LINES.copy()
    key, colon, _ = lines[line].partition(": ")
    lines[line] = f"{key}{colon or ' '}{CANARY}"
    result = outcome(file, "\n".join(lines))
    assert_discreet(result)
    assert isinstance(result, ConfigError) or key in {"  - name", "    token"}


@pytest.mark.parametrize("line", range(len(LINES)))
def test_token_in_the_place_of_any_key_is_not_repeated(file: Path, line: int) -> None:
    lines = LINES.copy()
    indentation = lines[line][: len(lines[line]) - len(lines[line].lstrip(" -"))]
    lines[line] = f"{indentation}{CANARY}: {lines[line].partition(': ')[2]}"
    result = outcome(file, "\n".join(lines))
    assert_discreet(result)
    assert isinstance(result, ConfigError)


@given(
    st.dictionaries(
        st.sampled_from(
            ["THEEYE_ORGANIZATION_NAME", "THEEYE_TOKEN", "THEEYE_TOKEN_FILE", "THEEYE_SUPERVISOR_URL", "THEEYE_TOKENS"]
        ),
        st.one_of(st.text(), st.text().map(lambda text: f'"{text}"'), SPECIAL.map(lambda text: f"{CANARY}{text}")),
    )
)
def test_any_environment_is_configuration_or_config_error(environ: dict[str, str]) -> None:
    assert_discreet(outcome(environ=environ))
