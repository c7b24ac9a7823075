"""Prometheus and OpenMetrics exposition; knows nothing of TheEye's API."""
