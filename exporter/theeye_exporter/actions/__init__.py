"""Starts runs in TheEye, each at most once, and follows them to their end.

`serve`, `check` and `demo` never import it.
"""
