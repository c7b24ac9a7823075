"""Decodes Alertmanager's webhook, version 4. The content of an alert may come from anybody."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from theeye_exporter.actions.episodes import Message

__all__ = ["BadAlert", "BadPayloadError", "Payload", "ReceivedAlert", "identity", "read_payload"]

_VERSION: Final = "4"
_MOST_AHEAD: Final = 600.0
"""An alert may begin so many seconds in the future: clocks differ a little."""


class BadPayloadError(Exception):
    """The whole request is no payload of Alertmanager; the text says why."""


@dataclass(frozen=True, slots=True)
class ReceivedAlert:
    """One alert.

    Attributes:
        labels: Its labels.
        message: What is said about it.
        id: Its identity.
    """

    labels: Mapping[str, str]
    message: Message
    id: str


@dataclass(frozen=True, slots=True)
class BadAlert:
    """An alert that cannot be used.

    Attributes:
        labels: What labels it has.
        why: What is wrong.
    """

    labels: Mapping[str, str]
    why: str


@dataclass(frozen=True, slots=True)
class Payload:
    """One request of Alertmanager.

    Attributes:
        alerts: Its alerts, in its order.
        truncated: How many more Alertmanager left out.
    """

    alerts: tuple[ReceivedAlert | BadAlert, ...]
    truncated: int = 0


class _Document(msgspec.Struct):
    version: Any = None
    alerts: Any = None
    truncatedAlerts: Any = 0  # noqa: N815 - Alertmanager's word


def read_payload(body: bytes, now: float) -> Payload:
    """Return the alerts of a request.

    Args:
        body: The body of the request.
        now: Unix time.

    Raises:
        BadPayloadError: It is not version 4 of Alertmanager's webhook.
    """
    try:
        document = msgspec.json.decode(body, type=_Document)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadPayloadError(f"this is not a JSON object from Alertmanager: {error}") from None
    if document.version != _VERSION:
        raise BadPayloadError("this is not version 4 of Alertmanager's webhook")
    if not isinstance(document.alerts, list):
        raise BadPayloadError("there is no list of alerts")
    truncated = document.truncatedAlerts
    alerts = tuple(_alert(one, now) for one in document.alerts)
    return Payload(alerts, max(0, truncated) if isinstance(truncated, int) else 0)


def identity(labels: Mapping[str, str]) -> str:
    """Return what identifies an alert: a hash of its labels. Alertmanager's fingerprint may collide."""
    return hashlib.sha256(msgspec.json.encode(sorted(labels.items()))).hexdigest()[:32]


def _alert(document: Any, now: float) -> ReceivedAlert | BadAlert:
    if not isinstance(document, dict):
        return BadAlert({}, "the alert is not a JSON object")
    labels, status = document.get("labels"), document.get("status")
    start, end = _time(document.get("startsAt")), _time(document.get("endsAt"))
    if not isinstance(labels, dict) or not labels or not all(isinstance(value, str) for value in labels.values()):
        return BadAlert({}, "the alert has no labels, or the value of a label is not text")
    if status not in {"firing", "resolved"}:
        return BadAlert(labels, "the alert's status is neither firing nor resolved")
    if start is None or (status == "resolved" and (end is None or end < 0)):
        return BadAlert(labels, "the alert's startsAt or endsAt is not a time")
    if start > now + _MOST_AHEAD:
        return BadAlert(labels, "the alert begins in the future: compare the clocks")
    # A label without a value is a missing label.
    labels = {name: value for name, value in labels.items() if value}
    return ReceivedAlert(labels, Message(status == "firing", start, end or 0.0), identity(labels))


def _time(value: Any) -> float | None:
    """Return the Unix time of a date of RFC 3339; the zero time of Go is in the distant past."""
    try:
        moment = msgspec.convert(value, datetime) if isinstance(value, str) else None
    except msgspec.ValidationError:
        return None
    return None if moment is None or moment.tzinfo is None else moment.timestamp()
