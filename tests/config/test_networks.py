"""The way to TheEye: what the file and the environment say, and for which organisation."""

import json
import ssl
from base64 import b64encode
from pathlib import Path

import pytest
from pydantic import SecretStr

from config.configurations import CANARY, configure, problems_of
from theeye_exporter.config import secrets_in
from theeye_exporter.config.description import describe
from theeye_exporter.config.sections import TlsSettings
from theeye_exporter.theeye.trust import TlsFiles
from web.certificates import Authority

TOKEN = {"THEEYE_ORGANIZATION_NAME": "demo", "THEEYE_TOKEN": "a-token-of-some-length"}


def proxy_of(
    environ: dict[str, str], *, file: Path | None = None, text: str | None = None
) -> tuple[str | None, str | None]:
    (organization,) = configure(file=file, text=text, environ=TOKEN | environ).organizations
    url = organization.proxy_url
    return None if url is None else url.get_secret_value(), organization.no_proxy


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, (None, None)),
        ({"HTTPS_PROXY": "http://a:1"}, ("http://a:1", None)),
        ({"https_proxy": "http://a:1", "HTTPS_PROXY": "http://b:1"}, ("http://a:1", None)),
        ({"https_proxy": "", "HTTPS_PROXY": "b:1"}, ("http://b:1", None)),
        ({"HTTP_PROXY": "http://a:1"}, (None, None)),
        ({"ALL_PROXY": "http://a:1", "no_proxy": "b.example, c.example"}, ("http://a:1", "b.example, c.example")),
        ({"NO_PROXY": "b.example"}, (None, None)),
        ({"HTTP_PROXY": "http://a:1", "THEEYE_SUPERVISOR_URL": "http://theeye.example"}, ("http://a:1", None)),
    ],
)
def test_the_environment_names_a_proxy(environ: dict[str, str], expected: tuple[str | None, str | None]) -> None:
    assert proxy_of(environ) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("theeye: {proxy_from_environment: false}", (None, None)),
        ("theeye: {proxy_url: 'http://c:1'}", ("http://c:1", None)),
        ("theeye: {no_proxy: '*'}", ("http://a:1", "*")),
    ],
)
def test_the_file_wins_over_the_environment(text: str, expected: tuple[str | None, str | None], tmp_path: Path) -> None:
    environ = {"HTTPS_PROXY": "http://a:1", "NO_PROXY": "b.example"}
    assert proxy_of(environ, file=tmp_path / "exporter.yml", text=text) == expected


def test_socks_in_the_environment_is_refused_at_the_start_too() -> None:
    assert problems_of(environ=TOKEN | {"ALL_PROXY": f"socks5://user:{CANARY}@127.0.0.1:1080"}) == [
        "environment: ALL_PROXY: SOCKS proxies are not supported; use an HTTP proxy, such as http://proxy.example.com:3128"
    ]
    assert proxy_of({"ALL_PROXY": "socks5://127.0.0.1:1080", "HTTPS_PROXY": "http://a:1"}) == ("http://a:1", None)


def test_the_environment_names_the_authorities(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    environ = TOKEN | {"REQUESTS_CA_BUNDLE": str(authority.file)}
    (organization,) = configure(environ=environ).organizations
    assert organization.tls_config == TlsSettings(ca_file=authority.file)
    missing = tmp_path / "none.pem"
    assert problems_of(environ=TOKEN | {"CURL_CA_BUNDLE": str(missing)}) == [
        f"environment: CURL_CA_BUNDLE: no such file: {missing}"
    ]


@pytest.mark.parametrize("by_environment", [True, False])
def test_authorities_that_organisations_share_are_read_once(
    by_environment: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bundle of public authorities takes 20 ms."""
    authority = Authority(tmp_path)
    read: list[TlsFiles] = []
    context = TlsFiles.context

    def counted(files: TlsFiles, *, own: bool) -> ssl.SSLContext:
        read.append(files)
        return context(files, own=own)

    monkeypatch.setattr(TlsFiles, "context", counted)
    own = {} if by_environment else {"tls_config": {"ca_file": str(authority.file)}}
    organizations = [{"name": f"o{number}", "token": "xxxxxxxx", **own} for number in range(50)]
    environ = {"REQUESTS_CA_BUNDLE": str(authority.file)} if by_environment else {}
    text = json.dumps({"organizations": organizations})

    settings = configure(file=tmp_path / "exporter.yml", text=text, environ=environ)

    assert {one.tls_config.ca_file for one in settings.organizations} == {authority.file}
    assert read.count(TlsFiles(authority.file)) == 1


def test_an_organisation_overrides_single_keys(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.issue("own", "exporter.example")
    text = """\
theeye:
  tls_config: {ca_file: ca.pem, server_name: theeye.example.com}
  proxy_url: http://user:secret-password@proxy.example.com
organizations:
  - {name: a, token: xxxxxxxx, tls_config: {server_name: a.example.com, cert_file: own.pem, key_file: own.key}}
  - {name: b, token: xxxxxxxx, proxy_url: "http://u:other%2Fpassword@b.example.com"}
"""
    settings = configure(file=tmp_path / "exporter.yml", text=text)
    one, other = settings.organizations
    assert one.tls_config == TlsSettings(
        ca_file=tmp_path / "ca.pem",
        cert_file=tmp_path / "own.pem",
        key_file=tmp_path / "own.key",
        server_name="a.example.com",
    )
    assert other.tls_config == TlsSettings(ca_file=tmp_path / "ca.pem", server_name="theeye.example.com")
    assert one.proxy_url == SecretStr("http://user:secret-password@proxy.example.com")
    shown = f"{describe(settings)} {settings!r}"
    assert "http://<redacted>@b.example.com" in shown
    assert "password" not in shown
    assert {"secret-password", "other/password", "dTpvdGhlci9wYXNzd29yZA=="} <= set(secrets_in(settings))


@pytest.mark.parametrize("user", ["a-token-alone", "a-token-alone:"])
def test_a_user_without_a_password_may_be_a_token(user: str, tmp_path: Path) -> None:
    text = f"""
organizations:
  - {{name: a, token: xxxxxxxx, proxy_url: "http://{user}@proxy.example.com"}}
"""
    settings = configure(file=tmp_path / "exporter.yml", text=text)
    assert "a-token-alone" not in f"{describe(settings)} {settings!r}"
    assert {"a-token-alone", b64encode(b"a-token-alone:").decode()} <= set(secrets_in(settings))


def test_a_long_user_beside_a_password_may_be_a_token(tmp_path: Path) -> None:
    text = """
organizations:
  - {name: a, token: xxxxxxxx, proxy_url: "http://glpat-0123456789abcdef:x-oauth-basic@proxy.example.com"}
  - {name: b, token: xxxxxxxx, proxy_url: "http://exporter:secret-password@proxy.example.com"}
"""
    secrets = secrets_in(configure(file=tmp_path / "exporter.yml", text=text))
    assert {"glpat-0123456789abcdef", "x-oauth-basic", "secret-password"} <= set(secrets)
    assert "exporter" not in secrets  # a name, which other lines contain


def test_a_key_of_another_certificate_is_a_mistake(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.issue("own", "exporter.example")
    text = "theeye:\n  tls_config:\n    cert_file: own.pem\n    key_file: server.key\n"
    assert problems_of(file=tmp_path / "exporter.yml", text=text, environ=TOKEN) == [
        "4: theeye.tls_config.key_file: the key does not belong to the certificate in cert_file"
    ]
