"""The reasons why requests to TheEye fail: a word for metrics, and a sentence for the log and the status page."""

from enum import StrEnum
from typing import Final

__all__ = ["Reason", "UpstreamError"]


class Reason(StrEnum):
    """Kinds of failure, as in the `reason` label of metrics."""

    DNS = "dns"
    PROXY = "proxy"
    TLS = "tls"
    UNREACHABLE = "unreachable"
    DISCONNECTED = "disconnected"
    SILENT = "silent"
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
    OUT_OF_RESOURCES = "out_of_resources"
    INTERNAL = "internal"

    @property
    def concerns_everything(self) -> bool:
        """Whether every request of the organisation fails for this reason, not only the one that met it."""
        return self in _ORGANIZATION_WIDE

    @property
    def blames_theeye(self) -> bool:
        """Whether TheEye, its network or the token is at fault."""
        return self not in {Reason.LEDGER, Reason.OUT_OF_RESOURCES, Reason.INTERNAL, Reason.EMPTY_LIST}

    @property
    def is_answer(self) -> bool:
        """Whether TheEye nevertheless responded and accepted the token."""
        return self in {Reason.LEDGER, Reason.EMPTY_LIST}

    @property
    def advice(self) -> str:
        """What the operator can do about it."""
        return _ADVICE[self]


_ORGANIZATION_WIDE: Final = frozenset(
    {
        Reason.DNS,
        Reason.PROXY,
        Reason.TLS,
        Reason.UNREACHABLE,
        Reason.SILENT,
        Reason.UNAUTHORIZED,
        Reason.ORGANIZATION_NOT_FOUND,
        Reason.ORGANIZATION_CONFLICT,
        Reason.AGENT_TOKEN,
        Reason.TOKEN_UNREADABLE,
    }
)

_ADVICE: Final[dict[Reason, str]] = {
    Reason.DNS: "check the host in `url`, and the DNS servers of the exporter's machine",
    Reason.PROXY: "check `proxy_url` or `HTTPS_PROXY`, its user and password, and whether the proxy may reach TheEye",
    Reason.TLS: "check `tls_config` and TheEye's certificate",
    Reason.UNREACHABLE: "check `url`, and the network and firewalls between here and TheEye",
    Reason.DISCONNECTED: "TheEye or a proxy closes connections; check the logs of both",
    Reason.SILENT: "check whether TheEye hangs or is overloaded",
    Reason.TIMEOUT: "TheEye responds too slowly; check whether it is overloaded; until it is faster, it gets fewer requests",
    Reason.SERVER_ERROR: "TheEye has an internal error; check its log",
    Reason.RATE_LIMITED: "TheEye or a proxy limits requests; raise the collectors' intervals",
    Reason.UNAUTHORIZED: "the token is wrong or expired, or its user is disabled; create an integration token in TheEye",
    Reason.FORBIDDEN: "the token's user may not read this; use an integration token or a user of level admin",
    Reason.ORGANIZATION_NOT_FOUND: "TheEye has no organisation with this name; names are case-sensitive",
    Reason.ORGANIZATION_CONFLICT: "the token belongs to another organisation; every organisation needs its own",
    Reason.AGENT_TOKEN: "this is a bot's token, and listing jobs with it takes them off the queue; "
    "create an integration token",
    Reason.TOKEN_UNREADABLE: "make the token file readable and non-empty; it is read again at the next request",
    Reason.NOT_FOUND: "this TheEye has no such route; does the URL point to the supervisor?",
    Reason.REJECTED: "TheEye or a proxy refuses the request; does the URL point to the supervisor?",
    Reason.REDIRECTED: "set `url` to TheEye's real address; the token is never sent to another host",
    Reason.TRUNCATED: "something cuts off TheEye's responses; check the proxies in between",
    Reason.TOO_LARGE: "check whether the organisation really is this large; if so, raise the limit that the message names; some are fixed",
    Reason.INVALID_RESPONSE: "this is not a response of TheEye's API; does the URL point to the supervisor?",
    Reason.EMPTY_LIST: "TheEye also returns an empty list when its database fails, so an empty list is accepted only the "
    "third time in a row",
    Reason.LEDGER: "the runs will be counted, each once, as soon as the state file can be written, except those that TheEye "
    "has deleted by then",
    Reason.OUT_OF_RESOURCES: "raise the exporter's limits of memory, threads and open files; it may use nine times "
    "`limits.max_response_bytes` of memory, and for a moment some more",
    Reason.INTERNAL: "this is a bug in theeye-exporter; please report it with the line of its log",
}


class UpstreamError(Exception):
    """A request to TheEye failed.

    Attributes:
        reason: the kind of failure.
        detail: what happened, in our own words; it may name hosts, ports and files, but never contains a body, a header,
            a path of a URL, or a password.
        retry_after: seconds that TheEye asked to wait, if it did.
        no_route: whether TheEye itself, and not a proxy, said that it has no such route.
        timed_out: whether the time for it ran out.
    """

    def __init__(
        self,
        reason: Reason,
        detail: str,
        *,
        retry_after: float | None = None,
        no_route: bool = False,
        timed_out: bool = False,
    ) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.retry_after = retry_after
        self.no_route = no_route
        self.timed_out = timed_out or reason in {Reason.SILENT, Reason.TIMEOUT}
