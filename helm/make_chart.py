#!/usr/bin/env python3
"""Generates files of the chart; with --check, it names those that are out of date, and fails if there are any.

* files/alerts and files/dashboards: copies of grafana/, since Helm reads no files outside a chart.
* values.schema.json and the tables of README.md, from values.yaml.
* version, appVersion and the image's tag of Chart.yaml, from the exporter's version.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from chart_readme import with_tables
from chart_schema import make_schema
from chart_values import read_values
from theeye_exporter import __version__

__all__ = ["chart_version", "expected_files", "main"]

_ROOT: Final = Path(__file__).parents[1]
_COPIES: Final = {"alerts": "*.rules.yml", "alerts/optional": "*.rules.yml", "dashboards": "*.json"}
"""What is copied from folders of grafana/ into folders of the same name in files/ of the chart."""


def chart_version(version: str) -> str:
    """Return the semantic version for a Python version: 1.2.0rc1 becomes 1.2.0-rc.1.

    Raises:
        ValueError: there is no such semantic version.
    """
    match = re.fullmatch(r"(\d+\.\d+\.\d+)(?:\.?(a|b|rc|dev)(\d+))?", version)
    if match is None:
        raise ValueError(f"{version} has no semantic version")
    release, kind, number = match.groups()
    names = {"a": "alpha", "b": "beta"}
    return f"{release}-{names.get(kind, kind)}.{number}" if kind else release


def expected_files(root: Path = _ROOT, version: str = __version__) -> dict[Path, str | None]:
    """Return the content of every generated file by its path; None for a file that must not exist."""
    chart = root / "helm/theeye-exporter"
    values = read_values(_read(chart / "values.yaml"))
    files: dict[Path, str | None] = dict(_copies(root, chart))
    files[chart / "values.schema.json"] = json.dumps(make_schema(values), indent=2) + "\n"
    files[chart / "README.md"] = with_tables(_read(chart / "README.md"), values)
    metadata = re.sub(r"(?m)^version: .*$", f"version: {chart_version(version)}", _read(chart / "Chart.yaml"))
    metadata = re.sub(r"(?m)^appVersion: .*$", f'appVersion: "{version}"', metadata)
    files[chart / "Chart.yaml"] = re.sub(r"(?m)^( *image: \S+:)\S+$", rf"\g<1>{version}", metadata)
    return files


def _copies(root: Path, chart: Path) -> Iterator[tuple[Path, str | None]]:
    for folder, pattern in _COPIES.items():
        sources = {path.name: path for path in (root / "grafana" / folder).glob(pattern)}
        for copy in (chart / "files" / folder).glob(pattern):
            if copy.name not in sources:
                yield copy, None
        for name, source in sorted(sources.items()):
            yield chart / "files" / folder / name, _read(source)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _write(path: Path, content: str | None) -> None:
    if content is None:
        path.unlink()
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def main(arguments: list[str], root: Path = _ROOT) -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(description="Generate the files of the chart that are made from others.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if something differs")
    check = parser.parse_args(arguments).check
    code = 0
    for path, content in expected_files(root).items():
        if content == (_read(path) if path.exists() else None):
            continue
        if check:
            print(f"{path.relative_to(root)} is not what `make docs` makes", file=sys.stderr)
            code = 1
        else:
            _write(path, content)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
