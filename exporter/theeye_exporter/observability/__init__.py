"""Logs of the exporter: without secrets, and throttled."""
