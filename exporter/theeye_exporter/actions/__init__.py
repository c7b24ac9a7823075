"""Starts runs in TheEye, each at most once, and follows them to their end. Nothing that serves metrics imports it."""
