"""Copies of the chart with other files in it."""

import json
import shutil
from pathlib import Path
from typing import Any, Final

from chart.releases import CHART

__all__ = ["RULES", "copy_chart", "dashboard"]

RULES: Final = {
    "b.rules.yml": """
groups:
  - name: b
    interval: 1m
    limit: 1000000
    rules:
      - alert: TheEyeDown
        expr: theeye_up == 0
        for: 5m
        keep_firing_for: 1h
        labels: {severity: critical}
        annotations:
          summary: '{{ $labels.organization }} does not answer'
          description: "{{ $value | humanize }}: \\"{{ .Values }}\\""
      - alert: TheEyeSlow
        expr: |
          sum by (organization) (rate(theeye_api_request_duration_seconds_sum[5m]))
            > 1
""",
    "a.rules.yml": """
groups:
  - name: a
    rules:
      - record: organization:theeye_up:min
        expr: min by (organization) (theeye_up)
""",
}


def dashboard(title: str) -> str:
    document: dict[str, Any] = {
        "title": title,
        "panels": [{"legendFormat": "{{organization}} {{ .Release.Name }}", "expr": 'x{a="$b", c=~"\\\\d+|\\\\n"}'}],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def copy_chart(folder: Path, files: dict[str, str], metadata: dict[str, str] | None = None) -> Path:
    """Return a copy of the chart with these files instead of those of grafana/, and with other lines in Chart.yaml."""
    chart = folder / CHART.name
    shutil.copytree(CHART, chart, ignore=shutil.ignore_patterns("alerts", "dashboards"))
    for name, text in files.items():
        path = chart / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    lines = (chart / "Chart.yaml").read_text(encoding="utf-8").splitlines()
    for key, value in (metadata or {}).items():
        lines = [f'{key}: "{value}"' if line.startswith(f"{key}:") else line for line in lines]
    (chart / "Chart.yaml").write_text("\n".join(lines), encoding="utf-8")
    return chart
