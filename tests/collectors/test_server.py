"""Status, clock and certificate in, expected lines out."""

import pytest

from contexts import context_of
from samples import lines
from theeye_exporter.collectors.base import Collection
from theeye_exporter.collectors.server import KIND, ServerCollector
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.models import Status
from theeye_exporter.theeye.sight import Sighting


class FakeTheEye(TheEyeClient):
    """Says what it is told to say."""

    def __init__(self, version: object, *seen: float | None) -> None:
        self.version = version
        self.seen = Sighting(*seen)

    def status(self) -> Status:
        if isinstance(self.version, Reason):
            raise UpstreamError(self.version, "it was told so")
        return Status(theeye_version=self.version)

    def sighting(self) -> Sighting:
        return self.seen


def collected(version: object, *seen: float | None) -> Collection:
    return ServerCollector(context_of(KIND)).collect(FakeTheEye(version, *seen), 0)


def test_version_clock_and_certificate() -> None:
    found = collected("4.15.3", -2.00049, 1_900_000_000.0)
    assert lines(found.samples) == [
        'theeye_server_certificate_expiry_timestamp_seconds{organization="demo"} 1900000000.0',
        'theeye_server_clock_skew_seconds{organization="demo"} -2.0',
        'theeye_server_info{organization="demo",version="4.15.3"} 1',
    ]
    assert found.objects == 1


@pytest.mark.parametrize("version", ["", None, [], {"a": 1}, True])
def test_a_server_that_does_not_know_its_version_has_none(version: object) -> None:
    assert lines(collected(version, None, None).samples) == ['theeye_server_info{organization="demo",version=""} 1']


@pytest.mark.parametrize("reason", [Reason.NOT_FOUND, Reason.FORBIDDEN])
def test_clock_and_certificate_are_shown_without_a_status(reason: Reason) -> None:
    found = collected(reason, 1.5, None)
    assert lines(found.samples) == ['theeye_server_clock_skew_seconds{organization="demo"} 1.5']
    assert found.objects == 0


def test_another_failure_is_one() -> None:
    with pytest.raises(UpstreamError):
        collected(Reason.SERVER_ERROR, 1.5, None)
