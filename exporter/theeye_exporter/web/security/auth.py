"""Basic authentication with bcrypt, which is slow on purpose: who was let in once is known from then on.

The answer, and the time it takes, are the same for a wrong password and for a name that does not exist.
"""

import asyncio
import base64
import binascii
import enum
import hashlib
import hmac
import ipaddress
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import bcrypt

__all__ = ["BasicAuth", "Verdict"]

_WORKERS: Final = 1
"""Threads for bcrypt: a flood of wrong passwords gets no more of the processor than this."""
_WAITING: Final = 32
"""Passwords that may be under examination or wait for it."""
_WAITING_PER_CLIENT: Final = 4
"""Of these, so many from one address: nobody who guesses keeps others from their first scrape."""
_NETWORK_BITS: Final = 64
"""Of an IPv6 address, what its owner did not choose freely."""
_LONGEST_PASSWORD: Final = 72
"""Bytes that bcrypt looks at."""
_DIGEST_BYTES: Final = 32


class Verdict(enum.Enum):
    """What becomes of a request."""

    ADMITTED = enum.auto()
    REFUSED = enum.auto()
    BUSY = enum.auto()
    """Nobody looked: too many passwords wait already."""


class BasicAuth:
    """Compares credentials with bcrypt hashes. To be used within one event loop.

    Args:
        check: whether a password belongs to a bcrypt hash; runs in a thread.
    """

    def __init__(self, check: Callable[[bytes, bytes], bool] = bcrypt.checkpw) -> None:
        self._check = check
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="bcrypt")
        self._key = secrets.token_bytes(_DIGEST_BYTES)
        self._nobody = secrets.token_bytes(_DIGEST_BYTES)
        self._users: Mapping[str, bytes] = {}
        self._costs: list[bytes] = []
        self._known: dict[str, bytes] = {}
        """A digest of each user's last good credentials, hash included."""
        self._running: dict[bytes, asyncio.Future[bool]] = {}
        self._clients: Counter[str] = Counter()

    async def verify(self, users: Mapping[str, bytes], fields: Sequence[bytes], client: str) -> Verdict:
        """Judge a request.

        Args:
            users: bcrypt hashes by name, as they are now.
            fields: the values of the request's Authorization fields.
            client: the address the request comes from.
        """
        if users is not self._users:
            self._take_over(users)
        credentials = _parse(fields)
        if credentials is None:
            return Verdict.REFUSED
        name, password = credentials
        hashed = users.get(name)
        compared = hashed or self._decoy(name)
        digest = self._digest(name.encode(), compared, password)
        if hmac.compare_digest(self._known.get(name, self._nobody), digest):
            return Verdict.ADMITTED
        running = self._running.get(digest)
        if running is None:
            client = _whereabouts(client)
            if len(self._running) >= _WAITING or self._clients[client] >= _WAITING_PER_CLIENT:
                return Verdict.BUSY
            running = self._begin(digest, compared, password, client)
        right = await asyncio.shield(running)
        if not right or hashed is None or len(password) > _LONGEST_PASSWORD:
            return Verdict.REFUSED
        if self._users.get(name) != hashed:
            return Verdict.REFUSED  # taken away meanwhile
        self._known[name] = digest
        return Verdict.ADMITTED

    def close(self) -> None:
        """Let go of the threads; whoever still waits is refused by the end of the server."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _begin(self, digest: bytes, hashed: bytes, password: bytes, client: str) -> "asyncio.Future[bool]":
        running = asyncio.get_running_loop().run_in_executor(self._pool, self._compare, password, hashed)
        self._running[digest] = running
        self._clients[client] += 1

        def done(_: object) -> None:
            del self._running[digest]
            self._clients[client] -= 1
            if not self._clients[client]:
                del self._clients[client]

        running.add_done_callback(done)
        return running

    def _compare(self, password: bytes, hashed: bytes) -> bool:
        try:
            return self._check(password[:_LONGEST_PASSWORD], hashed)
        except ValueError:
            return False  # a password that bcrypt does not take

    def _take_over(self, users: Mapping[str, bytes]) -> None:
        self._users = users
        self._costs = [hashed[4:6] for _, hashed in sorted(users.items())]
        self._known = {name: digest for name, digest in self._known.items() if name in users}

    def _decoy(self, name: str) -> bytes:
        """Return what the password of an unknown name is compared with: as costly as that of one of the users.

        Always the same one, so that a name cannot be told by how its answers vary.
        """
        which = int.from_bytes(self._digest(name.encode())) % len(self._costs)
        return b"$2b$%s$%s" % (self._costs[which], b"." * 53)

    def _digest(self, *parts: bytes) -> bytes:
        digest = hashlib.blake2b(key=self._key, digest_size=_DIGEST_BYTES)
        for part in parts:
            digest.update(len(part).to_bytes(8))
            digest.update(part)
        return digest.digest()


def _whereabouts(client: str) -> str:
    """Return the address; of IPv6 its network, in which one client has as many addresses as it likes."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    if address.version == 4 or address.ipv4_mapped:  # noqa: PLR2004 - the version
        return client
    return str(ipaddress.IPv6Network((address, _NETWORK_BITS), strict=False))


def _parse(fields: Sequence[bytes]) -> tuple[str, bytes] | None:
    """Return name and password, if there is one field and it is well-formed (RFC 7617)."""
    if len(fields) != 1:
        return None
    scheme, _, encoded = fields[0].strip().partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (name.decode(), password) if colon else None
    except (binascii.Error, UnicodeDecodeError):
        return None
