"""Polls organisations in the background: their state, the scheduler, the status board, and the exporter as a whole."""
