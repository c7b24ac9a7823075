"""Pictures of the dashboards without a Grafana: the same JSON and a real Prometheus, drawn simply.

What is drawn shows the questions and the answers, and not how Grafana looks to the pixel.
"""
