"""Bills of materials (CycloneDX 1.6) of the wheel in its locked environment, and of the container image.

python release/sbom.py wheel PYTHON OUT         PYTHON: interpreter of an environment with the wheel installed
python release/sbom.py image WHEELS ROOT OUT    WHEELS: what the first one wrote; ROOT: the image's files as tar
"""

import importlib.metadata
import json
import re
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

__all__ = ["image_bill", "main", "wheel_bill"]

ROOT: Final = Path(__file__).parents[1]
_SPEC: Final = "1.6"
_BIN: Final = Path(sys.executable).parent
_DISTRIBUTION: Final = re.compile(r"(?:.*/)?(?P<name>[\w.]+)-(?P<version>[^/-]+)\.dist-info/METADATA")
_PATCHLEVEL: Final = re.compile(r"usr/local/include/python3\.\d+/patchlevel\.h")


def main(arguments: Sequence[str]) -> int:
    """Write a bill of materials; the exit code is 2 for wrong arguments."""
    match arguments:
        case ["wheel", python, out]:
            bill = wheel_bill(Path(python))
        case ["image", wheels, root, out]:
            bill = image_bill(json.loads(Path(wheels).read_text()), Path(root))
        case _:
            sys.stderr.write(f"{__doc__}\n")
            return 2
    Path(out).write_text(json.dumps(bill, indent=2, ensure_ascii=False) + "\n")
    return 0


def wheel_bill(python: Path) -> dict[str, Any]:
    """List the distributions in an environment; the exporter is the subject of the list."""
    command: list[str | Path] = [
        _BIN / "cyclonedx-py",
        "environment",
        f"--spec-version={_SPEC}",
        "--output-reproducible",
    ]
    text = subprocess.run(
        [*command, f"--pyproject={ROOT / 'pyproject.toml'}", python], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    bill: dict[str, Any] = json.loads(text)
    subject = bill["metadata"]["component"]
    subject |= {"version": _version(python), "purl": f"pkg:pypi/{subject['name']}@{_version(python)}"}
    return bill


def _version(python: Path) -> str:
    program = "import theeye_exporter; print(theeye_exporter.__version__)"
    return subprocess.run([python, "-c", program], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def image_bill(wheels: dict[str, Any], root: Path) -> dict[str, Any]:
    """List the contents of an image: Debian's packages, the interpreter, and every Python distribution.

    Args:
        wheels: the wheel's bill, which knows more of the distributions than their names.
        root: the image's files, as a tar archive.
    """
    subject = wheels["metadata"]["component"]
    known = {component["purl"]: component for component in [*wheels["components"], subject]}
    found = [known.get(component["purl"], component) for component in _installed(root)]
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{_SPEC}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": _SPEC,
        "version": 1,
        "metadata": {
            "component": {
                "bom-ref": "image",
                "type": "container",
                "name": subject["name"],
                "version": subject["version"],
                "licenses": subject["licenses"],
            },
            "tools": {"components": [*wheels["metadata"]["tools"]["components"], _tool("debsbom")]},
        },
        "components": [*found, *_debian_packages(root)],
    }


def _installed(root: Path) -> list[dict[str, Any]]:
    found = {}
    with tarfile.open(root) as archive:
        for member in archive:
            distribution = _DISTRIBUTION.fullmatch(member.name)
            if distribution:
                name = re.sub(r"[-_.]+", "-", distribution["name"]).lower()
                found[member.name] = _component(f"pkg:pypi/{name}@{distribution['version']}")
            content = archive.extractfile(member) if _PATCHLEVEL.fullmatch(member.name.removeprefix("./")) else None
            version = re.search(rb'PY_VERSION\s+"([^"]+)"', content.read()) if content else None
            if version:  # the official image builds its interpreter, so that no package has it
                found[member.name] = _component(f"pkg:generic/python@{version[1].decode()}")
    return list({component["purl"]: component for component in found.values()}.values())


def _debian_packages(root: Path) -> list[dict[str, Any]]:
    flags = ["--sbom-type=cdx", f"--cdx-schema-version={_SPEC}", "--no-recommends-deps", "--out=-"]
    command: list[str | Path] = [_BIN / "debsbom", "generate", f"--root={root}", *flags]
    bill = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    packages: list[dict[str, Any]] = bill["components"]
    return packages


def _component(purl: str) -> dict[str, Any]:
    name, _, version = purl.rpartition("/")[2].partition("@")
    return {"bom-ref": purl, "type": "library", "name": name, "version": version, "purl": purl}


def _tool(name: str) -> dict[str, Any]:
    return {"type": "application", "name": name, "version": importlib.metadata.version(name)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
