"""Runs in the pod of `helm test`: checks that each exporter of the release responds, and that TheEye responds to it.

Ends with 0 if all is well, else with 1 and a line that says what is not. This pod has no user and no client certificate. If the
exporter has users, it only has to ask for one; if it wants client certificates, it only has to accept connections.
"""

import argparse
import http.client
import re
import socket
import ssl
import sys
import time
import urllib.parse
from collections.abc import Iterable
from typing import Final

__all__ = ["main"]

_DOWN: Final = re.compile(rb'theeye_up\{organization="((?:[^"\\]|\\.)*)"\} 0(?:\.0)?\s')
_PAUSE_SECONDS: Final = 2.0
_REQUEST_SECONDS: Final = 10.0


class _NotYetError(Exception):
    """A check failed, but may succeed later."""


def main(arguments: list[str]) -> int:
    """Check every exporter until it passes or the time is over; return the exit code."""
    parser = argparse.ArgumentParser(description="Check exporters.")
    parser.add_argument("--auth", choices=("none", "basic", "certificate"), default="none")
    parser.add_argument("--path", default="/metrics", help="path of the metrics page")
    parser.add_argument("--seconds", type=float, default=150.0, help="how long to wait for them, all in all")
    parser.add_argument("urls", nargs="+", metavar="URL")
    flags = parser.parse_args(arguments)
    deadline = time.monotonic() + flags.seconds
    return max(_wait(url, flags, deadline) for url in flags.urls)


def _wait(url: str, flags: argparse.Namespace, deadline: float) -> int:
    while True:
        try:
            message = _check(url, flags)
        except (OSError, http.client.HTTPException, _NotYetError) as error:
            if time.monotonic() + _PAUSE_SECONDS > deadline:
                print(f"FAILED {url}: {error}")
                return 1
            time.sleep(_PAUSE_SECONDS)
        else:
            print(f"ok {url}: {message}")
            return 0


def _check(url: str, flags: argparse.Namespace) -> str:
    if flags.auth == "certificate":
        place = urllib.parse.urlsplit(url)
        socket.create_connection((place.hostname or "", place.port or 443), timeout=_REQUEST_SECONDS).close()
        return "accepts connections; only clients with a certificate get responses"
    if flags.auth == "basic":
        with _get(url + "/-/ready") as response:
            _expect(response, http.HTTPStatus.UNAUTHORIZED)
        return "asks for a user"
    with _get(url + "/-/ready") as response:
        _expect(response, http.HTTPStatus.OK)
    with _get(url + flags.path) as response:
        _expect(response, http.HTTPStatus.OK)
        return _read_metrics(response)


def _get(url: str) -> http.client.HTTPResponse:
    """Send a request without a proxy, since the exporter is in the cluster, and without verifying TLS."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    place = urllib.parse.urlsplit(url)
    connection = (
        http.client.HTTPSConnection(place.netloc, timeout=_REQUEST_SECONDS, context=context)
        if place.scheme == "https"
        else http.client.HTTPConnection(place.netloc, timeout=_REQUEST_SECONDS)
    )
    # The answer keeps what it needs of the connection until its own end.
    connection.request("GET", place.path, headers={"Connection": "close"})
    return connection.getresponse()


def _expect(response: http.client.HTTPResponse, status: int) -> None:
    if response.status != status:
        raise _NotYetError(f"answers {response.status} {response.reason}, expected {status}")


def _read_metrics(lines: Iterable[bytes]) -> str:
    """Read line by line: the metrics may be larger than the memory of this pod."""
    samples, is_exporter, down = 0, False, []
    for line in lines:
        samples += not line.startswith(b"#")
        is_exporter = is_exporter or line.startswith(b"theeye_exporter_build_info{")
        match = _DOWN.match(line)
        if match:
            down.append(match[1].decode())
    if not is_exporter:
        raise _NotYetError("the metrics are not those of theeye-exporter")
    if down:
        raise _NotYetError(f"theeye_up is 0 for {', '.join(down)}; the log of the exporter says why")
    return f"ready, {samples} samples"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
