"""What all tests share."""

import hypothesis
import pytest
import structlog

# How long an example takes says nothing but how busy the machine is.
hypothesis.settings.register_profile("tests", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("tests")


@pytest.fixture(autouse=True)
def _default_logging() -> None:
    """Let each test start with structlog as it is imported, whatever another one configured."""
    structlog.reset_defaults()
