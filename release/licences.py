"""Reads the licences of the dependencies from the bill of materials; fails if a licence is not allowed.

python release/licences.py BILL       prints the page for docs/licences.md
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from license_expression import AND, OR, ExpressionError, LicenseSymbol, get_spdx_licensing

__all__ = ["allowed", "main", "render", "terms"]

ALLOWED: Final = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "ISC",
        "MIT",
        "MPL-2.0",  # of whole files, which nobody changes here
        "PSF-2.0",
        "Zlib",
    }
)
"""All may be installed beside Apache-2.0, whatever the user does with both. Decide about another one before you add it."""

_CLASSIFIERS: Final = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""Names from before there were identifiers. BSD's can mean several licences; none of them asks for more than this one."""

_SPDX: Final = get_spdx_licensing()

_PAGE: Final = """\
# Licences

This page lists the distributions that the exporter depends on, and their licences. They are in the wheel's environment and in the
container image. `make licences` generates this page from the bill of materials. `requirements.lock` has the versions, and each
distribution's `.dist-info` folder has the text of its licence. CI fails if a licence is not in the list in `release/licences.py`.

The image also contains Debian's packages, with their licences in `/usr/share/doc/*/copyright`, and Python under
[its own](https://docs.python.org/3/license.html).

| distribution | licence | home |
| --- | --- | --- |
"""


def main(arguments: Sequence[str]) -> int:
    """Print the page; the exit code is 1 if a licence is not allowed, 2 for wrong arguments."""
    if len(arguments) != 1:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    components = json.loads(Path(arguments[0]).read_text())["components"]
    refused = [component for component in components if not allowed(component)]
    for component in refused:
        sys.stderr.write(f"{component['name']}: licence not agreed to: {' and '.join(terms(component)) or 'none'}\n")
    sys.stdout.write(render(components))
    return 1 if refused else 0


def terms(component: dict[str, Any]) -> list[str]:
    """Return the SPDX expressions of a component, which all apply; other text stays unchanged."""
    found = []
    for entry in component.get("licenses", ()):
        licence = entry.get("license", {})
        name = licence.get("name", "").removeprefix("License :: OSI Approved :: ")
        found.append(entry.get("expression") or licence.get("id") or _CLASSIFIERS.get(name, name))
    return sorted(set(found))


def allowed(component: dict[str, Any]) -> bool:
    """Return whether all terms are allowed; of alternatives, at least one must be. Unreadable terms are not allowed."""
    found = terms(component)
    return bool(found) and all(map(_agreed, found))


def _agreed(expression: str) -> bool:
    try:
        return _holds(_SPDX.parse(expression, validate=True, strict=True))
    except ExpressionError:
        return False


def _holds(term: object) -> bool:
    match term:
        case AND():
            return all(map(_holds, term.args))
        case OR():
            return any(map(_holds, term.args))
        case LicenseSymbol():
            return term.key in ALLOWED
        case _:  # nothing at all, or a licence with an exception, which is another one
            return False


def render(components: Sequence[dict[str, Any]]) -> str:
    """Return the page."""
    rows = [
        f"| {component['name']} | {' AND '.join(terms(component))} | {_home(component)} |\n"
        for component in sorted(components, key=lambda component: str(component["name"]).lower())
    ]
    return _PAGE + "".join(rows)


def _home(component: dict[str, Any]) -> str:
    references = {r["type"]: r["url"] for r in reversed(component.get("externalReferences", ()))}
    known = (references[kind] for kind in ("website", "vcs", "documentation", "other") if kind in references)
    return str(next(known, ""))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
