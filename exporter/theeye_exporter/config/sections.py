"""Sections that each of our processes can have in its configuration file."""

from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import SecretStr, model_validator

from theeye_exporter.config.addresses import (
    ListenAddress,
    parse_listen_address,
    parse_proxy_url,
    parse_server_name,
    parse_telemetry_path,
    parse_url,
    show_proxy_url,
)
from theeye_exporter.theeye.trust import TlsFiles
from theeye_exporter.values import parsers
from theeye_exporter.values.durations import format_duration
from theeye_exporter.values.settings import BOOLEAN, FILE, Kind, Setting, SettingsModel, choice

__all__ = [
    "CONFIG_FILE",
    "LISTEN",
    "NAME",
    "TOKEN",
    "TOKEN_FILE",
    "LogSettings",
    "OrganizationSettings",
    "StateSettings",
    "TheEyeSettings",
    "TlsSettings",
    "WebSettings",
]

NAME: Final = "THEEYE_ORGANIZATION_NAME"
TOKEN: Final = "THEEYE_TOKEN"  # noqa: S105 - the name of a variable
TOKEN_FILE: Final = "THEEYE_TOKEN_FILE"  # noqa: S105 - the name of a variable
URL: Final = "THEEYE_SUPERVISOR_URL"

AuthMethod = Literal["header", "query"]
LogLevel = Literal["debug", "info", "warn", "error"]
LogFormat = Literal["logfmt", "json"]

CONFIG_FILE: Final = Setting(FILE, "configuration file (YAML)", "--config.file", in_file=False)
_WEB_FILE: Final = Setting(FILE, "TLS, users and headers of the web server (YAML)", "--web.config.file", in_file=False)

_NAME: Final = Kind("name", parsers.parse_organization_name)
_TOKEN: Final = Kind("token", parsers.parse_token, lambda _: "<redacted>", "visible ASCII without spaces")
_URL: Final = Kind("url", parse_url, limits="http:// or https://")
_PROXY: Final = Kind("url", parse_proxy_url, show_proxy_url, "http:// or https://")
_SERVER_NAME: Final = Kind("name", parse_server_name)
_HOSTS: Final = Kind("text", parsers.parse_hosts, limits="names, addresses and networks, with commas between them")
_TIMEOUT: Final = Kind("duration", parsers.parse_timeout, format_duration, "more than 0s, at most 10m")
_ADDRESS: Final = Kind(
    "address",
    parse_listen_address,
    str,
    "such as :9855, 127.0.0.1:9855 or [::1]:9855",
    listed=parsers.parse_one_or_more,
)
LISTEN: Final = Setting(_ADDRESS, "address to listen on", "--web.listen-address")
_PATH: Final = Kind("path", parse_telemetry_path)
_METHOD: Final = choice("method", AuthMethod)
_LEVEL: Final = choice("level", LogLevel)
_FORMAT: Final = choice("format", LogFormat)


class _Account(SettingsModel):
    name: Annotated[str, Setting(_NAME, "name of the organisation in TheEye", variable=NAME)]
    token: Annotated[SecretStr | None, Setting(_TOKEN, "token for the organisation", variable=TOKEN)] = None
    token_file: Annotated[Path | None, Setting(FILE, "file that holds the token", variable=TOKEN_FILE)] = None
    """The file is read at each use, so that a token can be replaced while the process runs."""


class TlsSettings(SettingsModel):
    """``tls_config:``, named as in Prometheus; the files are read again when they change."""

    ca_file: Annotated[
        Path | None, Setting(FILE, "file with the CA certificates to trust; without it, the usual public CAs")
    ] = None
    cert_file: Annotated[
        Path | None, Setting(FILE, "client certificate for TheEye, followed by its intermediate certificates")
    ] = None
    key_file: Annotated[Path | None, Setting(FILE, "private key of the certificate; it must not have a password")] = (
        None
    )
    server_name: Annotated[
        str | None, Setting(_SERVER_NAME, "name in TheEye's certificate, if it is not the host in `url`")
    ] = None
    insecure_skip_verify: Annotated[bool, Setting(BOOLEAN, "accept any certificate, even an attacker's")] = False

    @property
    def files(self) -> TlsFiles:
        """What a TLS context is made of."""
        return TlsFiles(self.ca_file, self.cert_file, self.key_file, verify=not self.insecure_skip_verify)


class TheEyeSettings(SettingsModel):
    """``theeye:``, the defaults of every organisation."""

    url: Annotated[str, Setting(_URL, "address of TheEye's supervisor", variable=URL)] = "https://supervisor.theeye.io"
    """Without a trailing slash."""
    auth: Annotated[AuthMethod, Setting(_METHOD, "how the token is sent: in a header, or in the query of the URL")] = (
        "header"
    )
    timeout: Annotated[
        float,
        Setting(_TIMEOUT, "time limit for a whole response; a list may take 5m while TheEye answers other requests"),
    ] = 10.0
    tls_config: TlsSettings = TlsSettings()
    proxy_url: Annotated[SecretStr | None, Setting(_PROXY, "address of the proxy, with user and password if any")] = (
        None
    )
    no_proxy: Annotated[str | None, Setting(_HOSTS, "hosts and networks to reach without the proxy")] = None
    proxy_from_environment: Annotated[
        bool, Setting(BOOLEAN, "without `proxy_url`, use `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`")
    ] = True
    follow_redirects: Annotated[bool, Setting(BOOLEAN, "follow redirects to the same scheme, host and port")] = True


class OrganizationSettings(TheEyeSettings, _Account):
    """One item of ``organizations:``, with its token."""

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        if (self.token is None) == (self.token_file is None):
            raise ValueError("an organisation has either a token or a token_file")
        return self


class WebSettings(SettingsModel):
    """``web:``, where metrics are served."""

    listen_address: Annotated[tuple[ListenAddress, ...], LISTEN] = (ListenAddress("", 9855),)
    telemetry_path: Annotated[str, Setting(_PATH, "path of the metrics page", "--web.telemetry-path")] = "/metrics"
    config_file: Annotated[Path | None, _WEB_FILE] = None
    """The path only; the file is in the format of the Exporter Toolkit."""
    enable_lifecycle: Annotated[bool, Setting(BOOLEAN, "reload on POST to `/-/reload`", "--web.enable-lifecycle")] = (
        False
    )


class LogSettings(SettingsModel):
    """``log:``."""

    level: Annotated[LogLevel, Setting(_LEVEL, "lowest level that is logged", "--log.level")] = "info"
    format: Annotated[LogFormat, Setting(_FORMAT, "format of the log", "--log.format")] = "logfmt"


class StateSettings(SettingsModel):
    """``state:``, what survives a restart."""

    file: Annotated[Path | None, Setting(FILE, "file that keeps counters across restarts", "--state.file")] = None
