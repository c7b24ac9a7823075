"""Says in words what went wrong between here and TheEye: on the network, at a proxy, in TLS."""

import re
import socket
import ssl
from collections.abc import Iterable
from http.client import HTTPException, IncompleteRead, RemoteDisconnected
from typing import Final

import urllib3

from theeye_exporter.theeye.deadline import Step
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.settings import Route

__all__ = ["network_error"]

_AT_PROXY: Final = frozenset({Step.PROXY_HANDSHAKE, Step.TUNNEL})
_HANDSHAKES: Final = frozenset({Step.HANDSHAKE, Step.PROXY_HANDSHAKE})
_CLOSED: Final = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError, IncompleteRead, RemoteDisconnected)
_TUNNEL_STATUS: Final = re.compile(r"Tunnel connection failed: (\d{3})")

# Numbers of OpenSSL (X509_V_ERR_…).
_EXPIRED: Final = frozenset({10})
_NOT_YET: Final = frozenset({9})
_OTHER_NAME: Final = frozenset({62, 64})
_UNKNOWN_AUTHORITY: Final = frozenset({2, 18, 19, 20, 21})

_WORDS_OF_TUNNEL: Final = {
    407: "it needs a user and a password, or the given ones are wrong",
    403: "it does not allow connections to {server}",
    405: "it does not open connections for TLS",
    501: "it does not open connections for TLS",
    502: "it cannot reach {server}",
    503: "it cannot reach {server}",
    504: "{server} does not answer it in time",
}

_WORDS_OF_TLS: Final[tuple[tuple[str, str], ...]] = (
    ("CERTIFICATE_REQUIRED", "{peer} needs a client certificate; set cert_file and key_file"),
    (
        "ALERT_BAD_CERTIFICATE|ALERT_UNKNOWN_CA|ALERT_CERTIFICATE|ALERT_UNSUPPORTED_CERTIFICATE",
        "{peer} does not accept our client certificate",
    ),
    ("WRONG_VERSION|HTTP_REQUEST|PACKET_LENGTH|RECORD_LAYER|UNEXPECTED_MESSAGE", "{peer} does not speak TLS"),
    ("UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION", "{peer} only has versions of TLS that are too old"),
    (
        "NO_SHARED_CIPHER|HANDSHAKE_FAILURE",
        "{peer} refused the TLS handshake: there is no common cipher, or it needs a client certificate",
    ),
    ("UNRECOGNIZED_NAME", "{peer} does not know the name {name}"),
)


def network_error(causes: Iterable[BaseException], step: Step, route: Route) -> UpstreamError | None:
    """Return the failure that the causes of an exception, innermost first, stand for; None if they say nothing.

    Args:
        causes: the causes.
        step: what the request was waiting for.
        route: the way to TheEye.
    """
    at_proxy = step in _AT_PROXY or (step is Step.CONNECT and bool(route.proxy))
    peer = f"the proxy {route.proxy}" if at_proxy else route.server
    for cause in causes:
        found = _explain(cause, step, peer, route)
        if found is not None:
            reason, words = found
            timed_out = isinstance(cause, TimeoutError | urllib3.exceptions.TimeoutError)
            return UpstreamError(Reason.PROXY if at_proxy else reason, words, timed_out=timed_out)
    return None


def _explain(cause: BaseException, step: Step, peer: str, route: Route) -> tuple[Reason, str] | None:
    found: tuple[Reason, str] | None = None
    match cause:
        case ssl.SSLCertVerificationError():
            found = Reason.TLS, _of_certificate(cause, step, peer, route)
        case socket.gaierror() | urllib3.exceptions.NameResolutionError():
            found = Reason.DNS, _of_name(cause, peer)
        case TimeoutError() | urllib3.exceptions.TimeoutError():
            found = _of_timeout(step, peer, route)
        case _ if isinstance(cause, _CLOSED):
            found = _of_closed(cause, step, peer)
        case ssl.SSLError():
            found = Reason.TLS, _of_tls(cause.reason or "", peer, route)
        case OSError():
            found = _of_system(cause, peer, route)
        case HTTPException() if step is Step.TUNNEL:
            found = Reason.PROXY, f"{peer} does not speak HTTP"
    return found


def _of_certificate(error: ssl.SSLCertVerificationError, step: Step, peer: str, route: Route) -> str:
    whose = f"the certificate of {peer}"
    if error.verify_code in _EXPIRED:
        return f"{whose} has expired"
    if error.verify_code in _NOT_YET:
        return f"{whose} is not valid yet"
    if error.verify_code in _OTHER_NAME:
        name = route.name if step is Step.HANDSHAKE else "of the proxy"
        return f"{whose} is not for the name {name}"
    if error.verify_code in _UNKNOWN_AUTHORITY:
        return f"{whose} is not trusted: no CA in {route.authorities} has signed it"
    return f"{whose} is not accepted ({error.verify_message})"


def _of_name(error: BaseException, peer: str) -> str:
    if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
        return f"no DNS server answers for the host name of {peer}"
    return f"the host name of {peer} does not resolve"


def _of_timeout(step: Step, peer: str, route: Route) -> tuple[Reason, str]:
    if step is Step.CONNECT:
        return Reason.UNREACHABLE, f"{peer} did not accept a connection in time"
    if step is Step.TUNNEL:
        return Reason.PROXY, f"{peer} did not connect to {route.server} in time"
    if step in _HANDSHAKES:
        return Reason.TIMEOUT, f"{peer} did not complete the TLS handshake in time"
    return Reason.TIMEOUT, "the response was not complete in time"


def _of_closed(cause: BaseException, step: Step, peer: str) -> tuple[Reason, str] | None:
    if isinstance(cause, ConnectionRefusedError):
        return Reason.UNREACHABLE, f"connection refused by {peer}"
    how = "reset" if isinstance(cause, ConnectionResetError) and not isinstance(cause, RemoteDisconnected) else "closed"
    if step in _HANDSHAKES:
        return Reason.TLS, f"{peer} {how} the connection during the TLS handshake"
    if step is not Step.RESPONSE:
        return Reason.UNREACHABLE, f"{peer} {how} the connection"
    if isinstance(cause, IncompleteRead):
        return None
    return Reason.DISCONNECTED, f"the connection was {how} without a response"


def _of_tls(reason: str, peer: str, route: Route) -> str:
    for pattern, words in _WORDS_OF_TLS:
        if re.search(pattern, reason):
            return words.format(peer=peer, name=route.name)
    named = reason.lower().replace("_", " ")
    return f"the TLS handshake with {peer} failed ({named})" if named else f"the TLS handshake with {peer} failed"


def _of_system(error: OSError, peer: str, route: Route) -> tuple[Reason, str] | None:
    if refusal := _TUNNEL_STATUS.search(str(error)):
        status = int(refusal[1])
        words = _WORDS_OF_TUNNEL.get(status, "it does not connect to {server}").format(server=route.server)
        return Reason.PROXY, f"{peer} answered {status}: {words}"
    if error.errno and error.strerror:
        return Reason.UNREACHABLE, f"no connection to {peer}: {error.strerror.lower()}"
    return None
