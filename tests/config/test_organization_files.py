"""Files with organisations: each is valid or not by itself, and the last valid content of a bad one stays in effect."""

import argparse
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from config.configurations import CANARY
from theeye_exporter.config import ConfigError, Settings, add_flags
from theeye_exporter.config.description import describe
from theeye_exporter.config.loading import load
from theeye_exporter.config.organization_files import Kept

MAIN = "organization_files: [conf.d/*.yaml]\n"


@dataclass
class Folder:
    """A configuration file and what it includes, loaded as often as a test wants."""

    path: Path
    kept: Kept = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)

    def write(self, **files: str | None) -> None:
        """Write files of `conf.d`; None removes one."""
        (self.path / "conf.d").mkdir(exist_ok=True)
        for name, text in files.items():
            file = self.path / "conf.d" / f"{name}.yaml"
            file.unlink(missing_ok=True)
            if text is not None:
                file.write_text(text)

    def load(self, main: str = MAIN, *, strict: bool = False) -> Settings:
        (self.path / "exporter.yml").write_text(main)
        parser = argparse.ArgumentParser()
        add_flags(parser)
        flags = parser.parse_args([f"--config.file={self.path}/exporter.yml"])
        return load(flags, self.environ, None if strict else self.kept)

    def names(self, main: str = MAIN) -> list[str]:
        return [organization.name for organization in self.load(main).organizations]

    def problems(self, main: str = MAIN) -> list[str]:
        """Return the problems of a configuration that loads all the same."""
        return self.shorten(self.load(main).problems)

    def refusal(self, main: str = MAIN, *, strict: bool = False) -> list[str]:
        """Return the problems of a configuration that does not load."""
        with pytest.raises(ConfigError) as caught:
            self.load(main, strict=strict)
        return self.shorten(caught.value.problems)

    def shorten(self, problems: tuple[object, ...]) -> list[str]:
        return [str(problem).replace(f"{self.path}/", "") for problem in problems]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def one(name: str) -> str:
    return f"name: {name}\ntoken: {CANARY}\n"


def test_each_file_is_an_organization_or_a_list_of_them(folder: Folder) -> None:
    folder.write(b=one("beta"), a=f"- {{name: alpha, token: {CANARY}}}\n- {{name: gamma, token: {CANARY}}}\n", c="[]")
    assert folder.names() == ["alpha", "gamma", "beta"]
    assert folder.problems() == []
    assert folder.names(f"{MAIN}organizations: [{{name: first, token: t}}]\n") == ["first", "alpha", "gamma", "beta"]


def test_patterns_are_several_and_a_file_is_read_once(folder: Folder) -> None:
    folder.write(a=one("alpha"), b=one("beta"))
    (folder.path / "conf.d/folder.yaml").mkdir()
    (folder.path / "conf.d/.hidden.yaml").write_text(one("hidden"))
    assert folder.names("organization_files: [conf.d/b.yaml, conf.d/*.yaml, nowhere/*.yaml]\n") == ["beta", "alpha"]
    assert folder.names(f"organization_files: {folder.path}/conf.d/a.*\n") == ["alpha"]


def test_an_organization_of_a_file_has_all_settings_and_inherits_the_others(folder: Folder) -> None:
    (folder.path / "conf.d").mkdir()
    (folder.path / "conf.d/token").write_text(CANARY)
    folder.write(a="name: alpha\ntoken_file: token\ncollectors: {jobs: {interval: 20s}}\n")
    (alpha,) = folder.load(f"{MAIN}theeye: {{timeout: 3s}}\n").organizations
    assert alpha.token_file == folder.path / "conf.d/token"
    assert (alpha.timeout, alpha.collectors.jobs.interval) == (3.0, 20.0)


def test_a_bad_file_keeps_what_was_in_effect_and_the_others_load(folder: Folder) -> None:
    folder.write(a=one("alpha"), b=one("beta"))
    assert folder.names() == ["alpha", "beta"]

    folder.write(a=one("other"), b="name: beta\ntoken: [\n")

    assert folder.names() == ["other", "beta"]
    assert folder.problems() == ["conf.d/b.yaml:3: not YAML: the file ends within brackets that are never closed"]
    folder.write(b=one("again"))
    assert (folder.names(), folder.problems()) == (["other", "again"], [])
    folder.write(b=None)
    assert folder.names() == ["other"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", ":1: the file is empty"),
        ("text", ":1: expected the keys of an organisation, or a list of them, got something else"),
        (
            f"name: beta\ntokn: {CANARY}\n",
            ':2: tokn: unknown key; did you mean "token"?',
        ),
        ("name: beta\n", ":1: neither token nor token_file is given"),
        ("- name: beta\n  token: t\n- token: t\n", ":3: [1]: name is missing"),
        ("- name: beta\n  token: t\n- name: beta\n  token: t\n", ":3: [1].name: this name is already used on line 1"),
        ("name: alpha\ntoken: t\n", ":1: name: this name is already used in conf.d/a.yaml:1"),
        ("name: first\ntoken: t\n", ":1: name: this name is already used in exporter.yml:2"),
        (
            "name: beta\ntoken: t\ncollectors:\n  jobs: {interval: 10m, max_age: 11m}\n",
            (
                ":4: collectors.jobs.max_age: max_age (11m) is shorter than two intervals (10m each); give at least 20m, "
                "or one failed poll leaves a gap"
            ),
        ),
        ("name: beta\ntoken_file: token\n", ":2: token_file: no such file: conf.d/token"),
    ],
)
def test_mistakes_are_told_with_file_line_and_key(folder: Folder, text: str, problem: str) -> None:
    main = f"{MAIN}organizations: [{{name: first, token: t}}]\n"
    folder.write(a=one("alpha"), b=one("beta"))
    folder.load(main)

    folder.write(b=text)

    assert folder.problems(main) == [f"conf.d/b.yaml{problem}"]
    assert folder.names(main) == ["first", "alpha", "beta"]
    assert folder.refusal(main, strict=True) == [f"conf.d/b.yaml{problem}"]


def test_a_file_without_a_pattern_has_to_exist(folder: Folder) -> None:
    folder.write(a=one("alpha"))
    main = "organization_files: [conf.d/a.yaml, conf.d/b.yaml]\n"
    assert folder.names(main) == ["alpha"]
    assert folder.problems(main) == ["conf.d/b.yaml:1: no such file: conf.d/b.yaml"]


def test_at_the_start_a_bad_file_is_left_out_unless_nothing_remains(folder: Folder) -> None:
    folder.write(a=one("alpha"), b="name: [")
    assert folder.names() == ["alpha"]
    folder.write(a=None)
    assert Folder(folder.path).refusal() == [
        "conf.d/b.yaml:1: not YAML: the file ends within brackets that are never closed"
    ]


def test_a_configuration_without_any_organization_is_refused(folder: Folder) -> None:
    """A folder that is not mounted yet must not remove all organisations."""
    folder.write(a=one("alpha"))
    folder.load()
    folder.write(a=None)
    assert folder.refusal() == ["exporter.yml:1: organization_files: no organisation is configured: no file lists one"]
    assert list(folder.kept) == [folder.path / "conf.d/a.yaml"]


def test_an_organization_may_move_from_a_file_that_is_bad_now(folder: Folder) -> None:
    folder.write(a=f"[{{name: alpha, token: {CANARY}}}, {{name: beta, token: {CANARY}}}]")
    folder.load()
    folder.write(a="- name: alpha\n", b="name: beta\ntoken: moved\n")
    settings = folder.load()
    assert [o.name for o in settings.organizations] == ["alpha", "beta"]
    assert [o.token.get_secret_value() for o in settings.organizations if o.token] == [CANARY, "moved"]


def test_what_is_kept_gets_the_current_defaults(folder: Folder) -> None:
    folder.write(a=one("alpha"))
    folder.load()
    folder.write(a="name: alpha\n")
    (alpha,) = folder.load(f"{MAIN}theeye: {{timeout: 3s}}\n").organizations
    assert alpha.timeout == 3.0


def test_a_mistake_elsewhere_changes_nothing(folder: Folder) -> None:
    folder.write(a=one("alpha"))
    folder.load()
    folder.write(a=one("beta"), b="name: [")
    assert folder.refusal(f"{MAIN}log: {{level: loud}}\n") == [
        "exporter.yml:2: log.level: expected one of debug, info, warn, error, got loud"
    ]
    folder.write(a="name: [")
    assert folder.names() == ["alpha"]


def test_the_token_in_the_environment_can_belong_to_an_organization_of_a_file(folder: Folder) -> None:
    folder.environ = {"THEEYE_TOKEN": CANARY, "THEEYE_ORGANIZATION_NAME": "beta"}
    folder.write(a=one("alpha"), b="name: beta\ntimeout: 3s\n")
    _, beta = folder.load().organizations
    assert beta.token is not None
    assert (beta.name, beta.token.get_secret_value(), beta.timeout) == ("beta", CANARY, 3.0)


def test_the_description_lists_all_organizations_and_loads_again(folder: Folder) -> None:
    folder.write(a=one("alpha"))
    text = describe(folder.load()).replace("<redacted>", CANARY)
    assert "organization_files" not in text
    again = folder.load(text)
    assert again.organizations == folder.load().organizations


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("{a: b}", "expected the path of a file, got keys"),
        ("[a, '']", "expected the path of a file, got empty text"),
        ("${FOLDER}/*", "expected the path of a file, got a variable (variables are not expanded)"),
    ],
)
def test_patterns_are_text(folder: Folder, value: str, problem: str) -> None:
    (told, *_) = folder.refusal(f"organization_files: {value}\norganizations: [{{name: a, token: t}}]\n")
    assert told.startswith("exporter.yml:1: organization_files")
    assert told.endswith(problem)
