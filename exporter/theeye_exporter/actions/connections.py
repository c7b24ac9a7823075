"""The way to TheEye for each organisation of the configuration."""

import threading
from typing import Final

from theeye_exporter.config.sections import OrganizationSettings
from theeye_exporter.polling.connecting import token_source, transport_settings
from theeye_exporter.polling.telemetry import Telemetry
from theeye_exporter.theeye.starting import StartingClient
from theeye_exporter.theeye.transport import Transport

__all__ = ["Connection", "Connections"]

_MAX_BYTES: Final = 64 * 2**20


class Connection:
    """The client of an organisation.

    Args:
        organization: The settings of the organisation.
        telemetry: Records requests that read.
    """

    def __init__(self, organization: OrganizationSettings, telemetry: Telemetry) -> None:
        self.organization = organization
        settings = transport_settings(organization, _MAX_BYTES)
        source = token_source(organization)
        transport = Transport(settings, source, lambda endpoint, _, seconds, __: telemetry.requested(endpoint, seconds))
        self.client = StartingClient(transport, settings, source, organization.name)


class Connections:
    """Makes a connection for each organisation, and another one if its settings have changed. Safe for threads.

    Args:
        telemetry: Records requests that read.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._lock = threading.Lock()
        self._connections: dict[str, Connection] = {}

    def of(self, organization: OrganizationSettings) -> Connection:
        """Return the connection of an organisation."""
        with self._lock:
            former = self._connections.get(organization.name)
            if former is not None and former.organization == organization:
                return former
            made = self._connections[organization.name] = Connection(organization, self._telemetry)
            return made
