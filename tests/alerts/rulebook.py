"""The rule files and their unit tests as data."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import promql_parser as promql
import yaml

from queries import nodes
from tools import require_tool

__all__ = ["ALERTS", "RULE_FILES", "TESTS", "TEST_FILES", "Rule", "label_names", "promtool", "rules"]

ROOT: Final = Path(__file__).parents[2]
ALERTS: Final = ROOT / "grafana" / "alerts"
TESTS: Final = Path(__file__).parent
RULE_FILES: Final = sorted(ALERTS.rglob("*.rules.yml"))
"""Those of the subfolder `optional` are off by default."""
TEST_FILES: Final = sorted(TESTS.glob("*.test.yml"))


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a file."""

    file: str
    group: str
    content: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of the alert or of the recorded series."""
        return str(self.content.get("alert") or self.content["record"])

    @property
    def is_alert(self) -> bool:
        """Whether it is an alert."""
        return "alert" in self.content

    @property
    def expression(self) -> promql.Expr:
        """Its expression, parsed."""
        parsed: promql.Expr = promql.parse(self.content["expr"])
        return parsed

    def __str__(self) -> str:
        """Its position: file, name and, for an alert, severity."""
        severity = self.content.get("labels", {}).get("severity")
        return f"{self.file}:{self.name}" + (f"[{severity}]" if severity else "")


def promtool(*arguments: str | Path) -> str:
    """Return what promtool says; it must succeed."""
    ran = subprocess.run(
        [require_tool("promtool"), *arguments], capture_output=True, text=True, check=False, timeout=300
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def rules() -> list[Rule]:
    """Return every rule of every file."""
    return [
        Rule(path.relative_to(ALERTS).as_posix(), group["name"], rule)
        for path in RULE_FILES
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]


def label_names(expression: promql.Expr) -> set[str]:
    """Return the labels that an expression groups by, matches on or copies."""
    names: set[str] = set()
    for node in nodes(expression):
        if isinstance(node, promql.AggregateExpr) and node.modifier is not None:
            names.update(node.modifier.labels)
        if isinstance(node, promql.BinaryExpr) and node.modifier is not None:
            if node.modifier.matching is not None:
                names.update(node.modifier.matching.labels)
            names.update(node.modifier.group_labels or ())
    return names
