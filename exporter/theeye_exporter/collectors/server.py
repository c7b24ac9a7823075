"""TheEye's server: its version, its clock and its certificate.

    theeye_server_info{organization="demo",version="4.15.3"} 1
    theeye_server_clock_skew_seconds{organization="demo"} 0.2

The raw data: `curl $THEEYE_SUPERVISOR_URL/api/status`, which needs no token. The clock and the certificate also come from
responses to the requests of other collectors.
"""

from typing import Final

from theeye_exporter.collectors.base import Collection, CollectorKind, Context
from theeye_exporter.collectors.settings import CollectorSettings
from theeye_exporter.exposition.family import Families, Query
from theeye_exporter.exposition.labels import format_labels
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.fields import text

__all__ = ["KIND", "ServerCollector"]

FAMILIES: Final = Families()

SERVER_INFO: Final = FAMILIES.info(
    "theeye_server_info",
    ("organization", "version"),
    "Version of the organisation's TheEye (theeye_version); the label is empty if TheEye does not state one.",
)
SERVER_CLOCK_SKEW: Final = FAMILIES.gauge(
    "theeye_server_clock_skew_seconds",
    ("organization",),
    "TheEye's clock (Date header) minus this machine's clock, exact to about half a second; negative if TheEye's clock is "
    "behind.",
    unit="seconds",
)
SERVER_CERTIFICATE_EXPIRY: Final = FAMILIES.gauge(
    "theeye_server_certificate_expiry_timestamp_seconds",
    ("organization",),
    "Unix time when the certificate of TheEye's server expires; absent without TLS, and if the certificate is not verified.",
    unit="seconds",
)


QUERIES: Final = (
    Query("Organisations by TheEye's version", "count by (version) (theeye_server_info)"),
    Query(
        "Days until the certificate expires",
        "(theeye_server_certificate_expiry_timestamp_seconds - time()) / 86400",
    ),
    Query("How far the clocks differ, in seconds", "abs(theeye_server_clock_skew_seconds)"),
)


class ServerCollector:
    """Collects what is known about an organisation's server."""

    def __init__(self, context: Context[CollectorSettings]) -> None:
        self._organization = context.organization

    def collect(self, client: TheEyeClient, now: float) -> Collection:  # noqa: ARG002 - the transport has a clock
        """See `Collector`."""
        samples = Samples()
        try:
            status = client.status()
        except UpstreamError as error:
            # A proxy may hide this route, but not the clock and the certificate.
            if error.reason not in {Reason.NOT_FOUND, Reason.FORBIDDEN}:
                raise
        else:
            version = text(status.theeye_version)
            samples[SERVER_INFO].add(format_labels(SERVER_INFO.labels, (self._organization, version)), 1)
        labels = format_labels(("organization",), (self._organization,))
        skew, expiry = client.sighting()
        if skew is not None:
            samples[SERVER_CLOCK_SKEW].add(labels, round(skew, 3))
        if expiry is not None:
            samples[SERVER_CERTIFICATE_EXPIRY].add(labels, expiry)
        return Collection(samples, len(samples[SERVER_INFO]))


KIND: Final = CollectorKind(
    name="server",
    title="Server",
    families=FAMILIES,
    make=ServerCollector,
    settings=CollectorSettings,
    interval=300.0,
    cardinality="3 for the organisation.",
    may_hide_errors_as_empty=False,
    filtered_by_access=False,
    sends_token=False,
    queries=QUERIES,
)
