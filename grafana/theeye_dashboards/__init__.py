"""The Grafana dashboards, as code: `python -m theeye_dashboards FOLDER` writes their JSON."""
