"""Writes the dashboards: `python -m theeye_dashboards FOLDER`."""

import sys
from pathlib import Path

from theeye_dashboards.catalogue import render

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in render().items():
        (folder / name).write_text(text)
