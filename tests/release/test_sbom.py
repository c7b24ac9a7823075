"""Bills of materials of the wheel, and of what an image's files show."""

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from locked import locked_for_linux
from sbom import image_bill, main
from theeye_exporter import __version__

STATUS = """\
Package: libc6
Status: install ok installed
Maintainer: GNU Libc Maintainers <debian-glibc@lists.debian.org>
Architecture: amd64
Source: glibc
Version: 2.41-12
Description: GNU C Library
"""


def archive(path: Path, files: dict[str, str]) -> Path:
    with tarfile.open(path, "w") as made:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            made.addfile(member, io.BytesIO(text.encode()))
    return path


def test_a_wheels_bill_names_the_exporter_and_what_is_installed_beside(tmp_path: Path) -> None:
    assert main(["wheel", sys.executable, str(tmp_path / "bill.json")]) == 0
    bill = json.loads((tmp_path / "bill.json").read_text())

    assert bill["metadata"]["component"]["purl"] == f"pkg:pypi/theeye-exporter@{__version__}"
    purls = {component["purl"] for component in bill["components"]}
    assert {f"pkg:pypi/{name}@{version}" for name, version in locked_for_linux().items()} <= purls
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is None


def test_an_images_bill_says_what_its_files_say(tmp_path: Path) -> None:
    root = archive(
        tmp_path / "root.tar",
        {
            "var/lib/dpkg/arch-native": "amd64\n",
            "var/lib/dpkg/status": STATUS,
            "usr/local/include/python3.13/patchlevel.h": '#define PY_VERSION\t"3.13.9"\n',
            "usr/local/lib/python3.13/site-packages/pip-25.3.dist-info/METADATA": "",
            "opt/theeye-exporter/lib/python3.13/site-packages/Zope.Interface_x-2.0rc1.dist-info/METADATA": "",
            "opt/theeye-exporter/lib/python3.13/site-packages/msgspec-0.20.0.dist-info/METADATA": "",
        },
    )
    wheels = {
        "metadata": {
            "component": {"name": "theeye-exporter", "version": "1.2.3", "licenses": [], "purl": "pkg:pypi/x@1.2.3"},
            "tools": {"components": []},
        },
        "components": [{"purl": "pkg:pypi/msgspec@0.20.0", "name": "msgspec", "version": "0.20.0", "author": "known"}],
    }

    bill = image_bill(wheels, root)

    assert [component["purl"] for component in bill["components"]] == [
        "pkg:generic/python@3.13.9",
        "pkg:pypi/pip@25.3",
        "pkg:pypi/zope-interface-x@2.0rc1",
        "pkg:pypi/msgspec@0.20.0",
        "pkg:deb/debian/glibc@2.41-12?arch=source",
        "pkg:deb/debian/libc6@2.41-12?arch=amd64",
    ]
    assert bill["components"][3]["author"] == "known"
    assert bill["metadata"]["component"]["version"] == "1.2.3"


def test_wrong_arguments_are_answered_with_the_right_ones() -> None:
    ended = subprocess.run(
        [sys.executable, Path(__file__).parents[2] / "release/sbom.py"], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 2
    assert "sbom.py wheel PYTHON OUT" in ended.stderr
