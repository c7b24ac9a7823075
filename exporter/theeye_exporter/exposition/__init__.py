"""Prometheus and OpenMetrics exposition; it knows nothing about TheEye's API."""
