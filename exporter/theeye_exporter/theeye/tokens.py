"""Where the token comes from, and how it is sent in a header."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import requests
from requests.auth import AuthBase

from theeye_exporter.theeye.errors import Reason, UpstreamError

__all__ = ["BearerAuth", "TokenSource", "fixed_token", "mark_of", "secret_from_file", "token_from_file"]

_SECRET_DIGITS: Final = 64
_MARK_DIGITS: Final = 16

TokenSource = Callable[[], str]
"""Returns the token to send now, or raises `UpstreamError` with `Reason.TOKEN_UNREADABLE`."""


def fixed_token(token: str) -> TokenSource:
    """Return a source of a token that never changes."""
    return lambda: token


def token_from_file(path: Path) -> TokenSource:
    """Return a source that reads the file each time, so that a rotated token works without a restart."""

    def read() -> str:
        try:
            token = path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not plain text"
            raise UpstreamError(Reason.TOKEN_UNREADABLE, f"cannot read token file {path}: {why}") from None
        if not token or not token.isprintable() or " " in token:
            raise UpstreamError(Reason.TOKEN_UNREADABLE, f"token file {path} does not contain a valid token")
        return token

    return read


def secret_from_file(path: Path) -> TokenSource:
    """Return a source of the secret key of a task or workflow, which also reads its file each time."""

    def read() -> str:
        try:
            secret = path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not plain text"
            raise UpstreamError(Reason.TOKEN_UNREADABLE, f"cannot read {path}: {why}") from None
        if len(secret) != _SECRET_DIGITS or not secret.isalnum():
            said = f"{path} does not contain a secret key of {_SECRET_DIGITS} digits"
            raise UpstreamError(Reason.TOKEN_UNREADABLE, said)
        return secret

    return read


def mark_of(token: str) -> str:
    """Return what tells a token from others, and may be written down: a part of its hash, too short to find the token by."""
    return hashlib.sha256(token.encode()).hexdigest()[:_MARK_DIGITS]


class BearerAuth(AuthBase):
    """Sends a token or none, and keeps `requests` from sending the entry of ~/.netrc instead."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Set the header of a request."""
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request
