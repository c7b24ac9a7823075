"""The flags that every command shares, in Prometheus style."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from theeye_exporter.config.addresses import ListenAddress, parse_listen_address, parse_telemetry_path
from theeye_exporter.config.problems import Report, attempt
from theeye_exporter.config.schema import (
    parse_log_format,
    parse_log_level,
    parse_series_limit,
    parse_shard_count,
    parse_shard_index,
)
from theeye_exporter.config.settings import CollectorsSettings
from theeye_exporter.config.text import Plain
from theeye_exporter.config.values import parse_file_path

__all__ = ["Flags", "add_flags", "read_flags"]

T = TypeVar("T")

_SHARD = {"index": parse_shard_index, "count": parse_shard_count}


@dataclass(frozen=True, slots=True)
class Flags:
    """What the command line says; None where it says nothing, or nothing that can be used."""

    config_file: Path | None
    listen_addresses: tuple[ListenAddress, ...] | None
    telemetry_path: str | None
    enable_lifecycle: bool | None
    web_config_file: Path | None
    log_level: str | None
    log_format: str | None
    state_file: Path | None
    max_series_per_family: int | None
    shard_index: int | None
    shard_count: int | None
    shard_faulty: bool
    """Whether one of the two is given, and cannot be used."""
    collectors: dict[str, bool]
    """Collectors that are switched on or off for all organisations."""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags to a parser. Flags that are not given are None; values are checked by ``load``."""
    parser.add_argument("--config.file", dest="config_file", metavar="FILE", help="configuration file (YAML)")
    parser.add_argument(
        "--web.listen-address",
        dest="web_listen_address",
        metavar="ADDRESS",
        action="append",
        help="where to listen: :9855 (all addresses, the default), 127.0.0.1:9855 or [::1]:9855; may be repeated",
    )
    parser.add_argument(
        "--web.telemetry-path",
        dest="web_telemetry_path",
        metavar="PATH",
        help="path of the metrics page (default /metrics)",
    )
    parser.add_argument(
        "--web.config.file",
        dest="web_config_file",
        metavar="FILE",
        help="TLS, client certificates and users of the web server, in the format of the Exporter Toolkit (YAML)",
    )
    parser.add_argument(
        "--log.level", dest="log_level", metavar="LEVEL", help="debug, info (the default), warn or error"
    )
    parser.add_argument("--log.format", dest="log_format", metavar="FORMAT", help="logfmt (the default) or json")
    parser.add_argument(
        "--web.enable-lifecycle",
        dest="web_enable_lifecycle",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="let a POST to /-/reload reload the configuration (default no; SIGHUP always does)",
    )
    parser.add_argument(
        "--shard.index",
        dest="shard_index",
        metavar="INDEX",
        help="which share of the organisations is this process's, from 0 (the default)",
    )
    parser.add_argument(
        "--shard.count",
        dest="shard_count",
        metavar="COUNT",
        help="processes that share the organisations out (default 1)",
    )
    parser.add_argument(
        "--state.file",
        dest="state_file",
        metavar="PATH",
        help="file that keeps counters over restarts (default none: counters start at 0)",
    )
    for name in CollectorsSettings.model_fields:
        parser.add_argument(
            f"--collector.{name}",
            dest=f"collector_{name}",
            action=argparse.BooleanOptionalAction,
            default=None,
            help=f"collect {name}, for all organisations, whatever the file says",
        )
    parser.add_argument(
        "--limits.max-series-per-family",
        dest="limits_max_series_per_family",
        metavar="COUNT",
        help="series of one metric family and organisation at most; the rest is cut and counted (default 1000000)",
    )


def read_flags(namespace: argparse.Namespace, report: Report) -> Flags:
    """Return what the command line says, noting what is wrong with it."""

    def read(flag: str, parse: Callable[[object], T], text: object) -> T | None:
        value = Plain(text) if isinstance(text, str) else text
        return attempt(parse, value, lambda message, hint: report.add_flag(flag, message, hint))

    def read_single(flag: str, parse: Callable[[object], T]) -> T | None:
        text = getattr(namespace, flag.removeprefix("--").replace(".", "_").replace("-", "_"), None)
        return None if text is None else read(flag, parse, text)

    addresses = [
        read("--web.listen-address", parse_listen_address, text)
        for text in getattr(namespace, "web_listen_address", None) or ()
    ]
    config_file = getattr(namespace, "config_file", None)
    shard = {name: read_single(f"--shard.{name}", parse) for name, parse in _SHARD.items()}
    switches = {name: getattr(namespace, f"collector_{name}", None) for name in CollectorsSettings.model_fields}
    return Flags(
        config_file=None if config_file is None else Path(config_file),
        listen_addresses=tuple(address for address in addresses if address is not None) or None,
        telemetry_path=read_single("--web.telemetry-path", parse_telemetry_path),
        enable_lifecycle=getattr(namespace, "web_enable_lifecycle", None),
        web_config_file=read_single("--web.config.file", parse_file_path),
        log_level=read_single("--log.level", parse_log_level),
        log_format=read_single("--log.format", parse_log_format),
        state_file=read_single("--state.file", parse_file_path),
        max_series_per_family=read_single("--limits.max-series-per-family", parse_series_limit),
        shard_index=shard["index"],
        shard_count=shard["count"],
        shard_faulty=any(
            value is None and getattr(namespace, f"shard_{name}", None) is not None for name, value in shard.items()
        ),
        collectors={name: enabled for name, enabled in switches.items() if enabled is not None},
    )
