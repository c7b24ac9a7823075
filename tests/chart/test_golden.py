"""Compares whole releases with text files, so that reviewers see the effect of a change.

`UPDATE_GOLDEN=1 make test ARGS=tests/chart/test_golden.py` writes them anew.
"""

import os
from pathlib import Path

import pytest

from chart.cases import CASES
from chart.charts import copy_chart
from chart.releases import Helm

FOLDER = Path(__file__).parent / "golden"


@pytest.mark.parametrize("case", ["existing_secret", "everything"])
def test_the_release_is_as_before(newest_helm: Helm, tmp_path: Path, case: str) -> None:
    chart = copy_chart(tmp_path, {"helm_test.py": "# the script\n"}, {"version": "1.2.3", "appVersion": "1.2.3"})
    documents = newest_helm.template(CASES[case], chart=chart).text.split("---\n")
    text = "---\n".join(document.rstrip() + "\n" for document in documents if document.strip())
    golden = FOLDER / f"{case}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")
