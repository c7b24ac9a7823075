"""Says what an organisation's token sees, for `check`."""

from collections.abc import Iterator
from typing import Final

from theeye_exporter.collectors.registry import COLLECTORS
from theeye_exporter.polling.status import EMPTY_ADVICE, CollectorStatus, OrganizationStatus
from theeye_exporter.theeye.errors import Reason
from theeye_exporter.web.humanize import counted

__all__ = ["doubts", "what_is_seen"]

_KINDS: Final = {kind.name: kind for kind in COLLECTORS if kind.sends_token}


def what_is_seen(organization: OrganizationStatus) -> str:
    """Return how many objects of each kind the token sees, and which kinds it may not read; empty if nothing is known."""
    statuses = [status for status in organization.collectors if status.collector in _KINDS]
    seen = [_number(status) for status in statuses if status.visible is not None]
    forbidden = [status.collector for status in statuses if status.reason is Reason.FORBIDDEN]
    parts = [f"sees {', '.join(seen)}"] if seen else []
    parts += [f"may not read {', '.join(forbidden)}"] if forbidden else []
    return f"the token {', and '.join(parts)}" if parts else ""


def _number(status: CollectorStatus) -> str:
    return counted(status.visible or 0, status.collector.removesuffix("s"))


def doubts(organization: OrganizationStatus) -> Iterator[str]:
    """Yield what is odd: lists that are empty although others show that there are objects, and missing answers."""
    visible = {status.collector: status.visible for status in organization.collectors}
    if organization.sees_nothing:
        return  # `check` reports this as a problem
    for name in _KINDS:
        signs = [kind.name for kind in _KINDS.values() if visible.get(kind.name) and name in _implied_by(kind.name)]
        if visible.get(name) == 0 and signs:
            seen = " and ".join(signs)
            yield f"the token sees {seen}, but no {name}, although {seen} have {name}; {EMPTY_ADVICE}"

    for status in organization.collectors:
        if status.dropped_by_reason["unanswered"]:
            yield (
                f"requests for single {status.collector} get no answer: TheEye answers only for {status.collector} that the "
                "token's user may see; use an integration token"
            )


def _implied_by(name: str) -> list[str]:
    return [kind.name for kind in _KINDS[name].implies]
