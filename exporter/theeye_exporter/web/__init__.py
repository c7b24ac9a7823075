"""The HTTP side: metrics, health and a landing page."""
