"""Why a request to TheEye failed, in one word for machines and in a sentence for people."""

from enum import StrEnum
from typing import Final

__all__ = ["Reason", "UpstreamError"]


class Reason(StrEnum):
    """Kinds of failure, as they stand in the `reason` label of metrics."""

    UNREACHABLE = "unreachable"
    DISCONNECTED = "disconnected"
    TIMEOUT = "timeout"
    SERVER_ERROR = "server_error"
    RATE_LIMITED = "rate_limited"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    ORGANIZATION_NOT_FOUND = "organization_not_found"
    ORGANIZATION_CONFLICT = "organization_conflict"
    AGENT_TOKEN = "agent_token"  # noqa: S105 - the name of a failure
    TOKEN_UNREADABLE = "token_unreadable"  # noqa: S105 - the name of a failure
    NOT_FOUND = "not_found"
    REJECTED = "rejected"
    REDIRECTED = "redirected"
    TRUNCATED = "truncated"
    TOO_LARGE = "too_large"
    INVALID_RESPONSE = "invalid_response"
    EMPTY_LIST = "empty_list"
    LEDGER = "ledger"
    INTERNAL = "internal"

    @property
    def concerns_everything(self) -> bool:
        """Whether every request of the organisation fails for this reason, not only the one that met it."""
        return self in _ORGANIZATION_WIDE

    @property
    def blames_theeye(self) -> bool:
        """Whether TheEye, its network or the token is at fault."""
        return self not in {Reason.LEDGER, Reason.INTERNAL, Reason.EMPTY_LIST}

    @property
    def advice(self) -> str:
        """What a person can do about it."""
        return _ADVICE[self]


_ORGANIZATION_WIDE: Final = frozenset(
    {
        Reason.UNREACHABLE,
        Reason.UNAUTHORIZED,
        Reason.ORGANIZATION_NOT_FOUND,
        Reason.ORGANIZATION_CONFLICT,
        Reason.AGENT_TOKEN,
        Reason.TOKEN_UNREADABLE,
    }
)

_ADVICE: Final[dict[Reason, str]] = {
    Reason.UNREACHABLE: "check the URL, DNS, the network and any proxy between here and TheEye",
    Reason.DISCONNECTED: "TheEye or something before it closes connections; look at their logs",
    Reason.TIMEOUT: "TheEye answers too slowly; raise `timeout` if this lasts, it covers the whole response",
    Reason.SERVER_ERROR: "TheEye has a fault of its own; its log says more",
    Reason.RATE_LIMITED: "something in front of TheEye limits requests; raise the collectors' intervals",
    Reason.UNAUTHORIZED: "the token is wrong, expired or its user disabled; create an integration token in TheEye",
    Reason.FORBIDDEN: "the token's user may not read this; use an integration token or a user of level admin",
    Reason.ORGANIZATION_NOT_FOUND: "TheEye knows no organisation of this name; names are case-sensitive",
    Reason.ORGANIZATION_CONFLICT: "the token belongs to another organisation; every organisation needs its own",
    Reason.AGENT_TOKEN: "this is a bot's token, and listing jobs with it takes them off the queue; "
    "create an integration token",
    Reason.TOKEN_UNREADABLE: "make the token file readable and non-empty; it is read again at the next request",
    Reason.NOT_FOUND: "this TheEye has no such route; is the URL that of the supervisor's API?",
    Reason.REJECTED: "TheEye or a proxy refuses the request; is the URL that of the supervisor's API?",
    Reason.REDIRECTED: "set `url` to where TheEye really is; the token is never sent to another host",
    Reason.TRUNCATED: "something cuts TheEye's answers short; look at the proxies in between",
    Reason.TOO_LARGE: "raise `limits.max_response_bytes` if the organisation really is this large",
    Reason.INVALID_RESPONSE: "this does not answer as TheEye's API does; is the URL that of the supervisor?",
    Reason.EMPTY_LIST: "TheEye hides database errors as empty lists; an empty list is believed the third time",
    Reason.LEDGER: "free space on, or access to, the state file's disk; nothing is counted twice when it can be written",
    Reason.INTERNAL: "this is a fault of the exporter; please report it with the log line",
}


class UpstreamError(Exception):
    """A request to TheEye failed.

    Attributes:
        reason: the kind of failure.
        detail: what happened, in words of ours: never a body, a URL or a header.
        retry_after: seconds for which TheEye asked to be left alone, if it did.
        no_route: whether it was TheEye itself that said that it has no such route.
    """

    def __init__(
        self, reason: Reason, detail: str, *, retry_after: float | None = None, no_route: bool = False
    ) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.retry_after = retry_after
        self.no_route = no_route
