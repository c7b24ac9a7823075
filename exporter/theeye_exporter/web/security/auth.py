"""Basic authentication with bcrypt. As bcrypt is slow on purpose, credentials that were right once are remembered.

The response, and the time it takes, are the same for a wrong password and for a user that does not exist.
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
from typing import Final, NamedTuple

import bcrypt

__all__ = ["BasicAuth", "Verdict"]

_WAITING: Final = 32
"""Maximum number of passwords that are being checked or waiting for it."""
_KEPT: Final = 8
"""This many of them are reserved for addresses that have not failed."""
_WAITING_PER_CLIENT: Final = 4
"""Maximum of them from one address, so that a guessing client does not block the first scrape of another one."""
_REMEMBERED: Final = 4096
"""Number of addresses with recent failures to remember."""
_NETWORK_BITS: Final = 64
"""Length of the IPv6 prefix that identifies a client: it can choose the other bits freely."""
_LONGEST_PASSWORD: Final = 72
"""Maximum length of a password in bytes; bcrypt ignores the rest."""
_DIGEST_BYTES: Final = 32


class Verdict(enum.Enum):
    """The decision about a request."""

    ADMITTED = enum.auto()
    REFUSED = enum.auto()
    BUSY = enum.auto()
    """Not checked: too many passwords are waiting already."""


class _Waiting(NamedTuple):
    client: str
    password: bytes
    hashed: bytes
    verdict: "asyncio.Future[bool]"


class BasicAuth:
    """Compares credentials with bcrypt hashes. Use it in one event loop only.

    Args:
        check: returns whether a password matches a bcrypt hash; runs in a thread.
    """

    def __init__(self, check: Callable[[bytes, bytes], bool] = bcrypt.checkpw) -> None:
        self._check = check
        # One thread: a flood of wrong passwords can use at most one core.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="bcrypt")
        self._key = secrets.token_bytes(_DIGEST_BYTES)
        self._nobody = secrets.token_bytes(_DIGEST_BYTES)
        self._users: Mapping[str, bytes] = {}
        self._costs: list[bytes] = []
        self._known: dict[str, bytes] = {}
        """A digest of each user's last good credentials, hash included."""
        self._running: dict[bytes, asyncio.Future[bool]] = {}
        self._waiting: list[_Waiting] = []
        self._examiner: asyncio.Task[None] | None = None
        self._clients: Counter[str] = Counter()
        self._failed: dict[str, None] = {}
        """Addresses whose last credentials were wrong, the most recent last."""

    async def verify(self, users: Mapping[str, bytes], fields: Sequence[bytes], client: str) -> Verdict:
        """Check the credentials of a request.

        Args:
            users: the current bcrypt hashes by user name.
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
        client = _whereabouts(client)
        running = self._running.get(digest)
        if running is None:
            places = _WAITING - _KEPT if client in self._failed else _WAITING
            if len(self._running) >= places or self._clients[client] >= _WAITING_PER_CLIENT:
                return Verdict.BUSY
            running = self._begin(digest, compared, password, client)
        right = await asyncio.shield(running) and hashed is not None and len(password) <= _LONGEST_PASSWORD
        self._remember(client, failed=not right)
        if not right:
            return Verdict.REFUSED
        if self._users.get(name) != hashed:
            return Verdict.REFUSED  # removed in the meantime
        self._known[name] = digest
        return Verdict.ADMITTED

    def close(self) -> None:
        """Release the threads; requests that still wait are refused when the server ends."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _begin(self, digest: bytes, hashed: bytes, password: bytes, client: str) -> "asyncio.Future[bool]":
        running = self._running[digest] = asyncio.get_running_loop().create_future()
        self._clients[client] += 1

        def done(_: object) -> None:
            del self._running[digest]
            self._clients[client] -= 1
            if not self._clients[client]:
                del self._clients[client]

        running.add_done_callback(done)
        self._waiting.append(_Waiting(client, password, hashed, running))
        if self._examiner is None or self._examiner.done():
            self._examiner = asyncio.create_task(self._examine())
        return running

    async def _examine(self) -> None:
        """Check passwords one by one: first those from addresses that have not failed, the longest waiting first."""
        while self._waiting:
            turn = next((waiting for waiting in self._waiting if waiting.client not in self._failed), self._waiting[0])
            self._waiting.remove(turn)
            compared = asyncio.get_running_loop().run_in_executor(self._pool, self._compare, turn.password, turn.hashed)
            try:
                turn.verdict.set_result(await compared)
            except Exception as error:  # noqa: BLE001 - passed on to the request that caused it
                turn.verdict.set_exception(error)

    def _remember(self, client: str, *, failed: bool) -> None:
        self._failed.pop(client, None)
        if failed:
            self._failed[client] = None
            if len(self._failed) > _REMEMBERED:
                del self._failed[next(iter(self._failed))]

    def _compare(self, password: bytes, hashed: bytes) -> bool:
        try:
            return self._check(password[:_LONGEST_PASSWORD], hashed)
        except ValueError:
            return False  # bcrypt does not accept this password

    def _take_over(self, users: Mapping[str, bytes]) -> None:
        self._users = users
        self._costs = [hashed[4:6] for _, hashed in sorted(users.items())]
        self._known = {name: digest for name, digest in self._known.items() if name in users}

    def _decoy(self, name: str) -> bytes:
        """Return the hash to compare with the password of an unknown user: as costly as the hash of a real user.

        It is always the same for one name, so that varying response times do not show which names exist.
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
    """Return the address or, for IPv6, its network, in which one client can use any number of addresses."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    if address.version == 4 or address.ipv4_mapped:  # noqa: PLR2004 - the version
        return client
    return str(ipaddress.IPv6Network((address, _NETWORK_BITS), strict=False))


def _parse(fields: Sequence[bytes]) -> tuple[str, bytes] | None:
    """Return user name and password if there is exactly one field and it is well-formed (RFC 7617)."""
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
