"""TheEye's HTTP API; knows nothing of Prometheus."""
