"""The image's bill of materials lists what is in it."""

import json
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from image.containers import Engine
from locked import locked_for_linux
from sbom import image_bill
from theeye_exporter import __version__

pytestmark = pytest.mark.e2e

NOTHING_KNOWN: dict[str, Any] = {
    "metadata": {
        "component": {
            "bom-ref": "root-component",
            "type": "application",
            "name": "theeye-exporter",
            "version": __version__,
            "licenses": [{"license": {"id": "Apache-2.0"}}],
            "purl": f"pkg:pypi/theeye-exporter@{__version__}",
        },
        "tools": {"components": []},
    },
    "components": [],
}
"""What the wheel's bill would add."""


def test_everything_is_on_the_bill(engine: Engine, image: str, tmp_path: Path) -> None:
    files = tmp_path / "image.tar"
    with engine.running(image, "demo") as container:
        engine.podman("export", f"--output={files}", container.name)
        debian = set(container.execute("dpkg-query", "--show", "--showformat", "${Package} ${Version}\n").splitlines())

    bill = image_bill(NOTHING_KNOWN, files)

    purls: list[str] = [component["purl"] for component in bill["components"]]
    python = {purl.removeprefix("pkg:pypi/") for purl in purls if purl.startswith("pkg:pypi/")}
    expected = {**locked_for_linux(), "theeye-exporter": __version__}
    assert {f"{name}@{version}" for name, version in expected.items()} <= python
    assert not [name for name in python if name.startswith(("hatchling", "pytest"))]
    assert debian == {f"{c['name']} {c['version']}" for c in bill["components"] if is_debian_binary(c)}
    assert len(purls) == len(set(purls))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is None


def is_debian_binary(component: dict[str, Any]) -> bool:
    return component["purl"].startswith("pkg:deb/") and not component["purl"].endswith("arch=source")
