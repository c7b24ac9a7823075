"""What all tests share."""

import pytest
import structlog


@pytest.fixture(autouse=True)
def _default_logging() -> None:
    """Let each test start with structlog as it is imported, whatever another one configured."""
    structlog.reset_defaults()
