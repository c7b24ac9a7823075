"""Helm, and what it makes of each case."""

import pytest

from chart.cases import CASES
from chart.helm_binaries import HELMS, require_helm
from chart.releases import Helm, Release


@pytest.fixture(scope="session", params=HELMS, ids="helm{}".format)
def helm(request: pytest.FixtureRequest) -> Helm:
    """Each major version of Helm in turn."""
    return Helm(require_helm(request.param))


@pytest.fixture(scope="session")
def newest_helm() -> Helm:
    """Helm where its version does not matter."""
    return Helm(require_helm(max(HELMS)))


@pytest.fixture(scope="session", params=CASES)
def release(newest_helm: Helm, request: pytest.FixtureRequest) -> Release:
    """What Helm makes of each case in turn; every version makes the same, as one test says."""
    return newest_helm.template(CASES[request.param])
