"""Helm, and the rendered release of each case."""

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
    """The newest Helm, for tests in which the version does not matter."""
    return Helm(require_helm(max(HELMS)))


@pytest.fixture(scope="session", params=CASES)
def release(newest_helm: Helm, request: pytest.FixtureRequest) -> Release:
    """The rendered release of each case; another test checks that every version renders the same."""
    return newest_helm.template(CASES[request.param])
