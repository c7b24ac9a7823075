"""Draws pictures of the dashboards without Grafana, from the same JSON and a real Prometheus.

What is drawn shows the questions and the answers, and not how Grafana looks to the pixel.
"""
