"""Tests who is accepted, how often bcrypt runs, and that user names are not revealed."""

import asyncio
import base64
import threading
import time
from collections.abc import Callable, Iterator, Mapping

import bcrypt
import pytest

from theeye_exporter.web.security import auth as auth_module
from theeye_exporter.web.security.auth import BasicAuth, Verdict

ALICE = bcrypt.hashpw(b"secret", bcrypt.gensalt(4))
BOB = bcrypt.hashpw(b"other", bcrypt.gensalt(5))
USERS: Mapping[str, bytes] = {"alice": ALICE, "bob": BOB}


class Hasher:
    """bcrypt that counts how often it runs, and waits for `go` each time."""

    def __init__(self) -> None:
        self.runs: list[tuple[bytes, bytes]] = []
        self.threads: set[str] = set()
        self.go = threading.Event()
        self.go.set()

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        self.runs.append((password, hashed))
        self.threads.add(threading.current_thread().name)
        assert self.go.wait(60)
        return bcrypt.checkpw(password, hashed)

    @property
    def costs(self) -> list[int]:
        return [int(hashed[4:6]) for _, hashed in self.runs]


@pytest.fixture
def hasher() -> Hasher:
    return Hasher()


@pytest.fixture
def auth(hasher: Hasher) -> Iterator[BasicAuth]:
    auth = BasicAuth(hasher)
    yield auth
    hasher.go.set()
    auth.close()


def basic(name: str, password: str | bytes) -> list[bytes]:
    password = password if isinstance(password, bytes) else password.encode()
    return [b"Basic " + base64.b64encode(name.encode() + b":" + password)]


async def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.001)


def verify(auth: BasicAuth, *asked: list[bytes], users: Mapping[str, bytes] = USERS) -> list[Verdict]:
    async def one_after_the_other() -> list[Verdict]:
        return [await auth.verify(users, fields, "192.0.2.1") for fields in asked]

    return asyncio.run(one_after_the_other())


def test_right_and_wrong_passwords(auth: BasicAuth) -> None:
    asked = [basic("alice", "secret"), basic("alice", "other"), basic("bob", "other"), basic("carol", "secret")]

    assert verify(auth, *asked) == [Verdict.ADMITTED, Verdict.REFUSED, Verdict.ADMITTED, Verdict.REFUSED]


def test_hashes_of_htpasswd_are_understood(auth: BasicAuth) -> None:
    users = {"alice": b"$2y" + ALICE[3:], "bob": b"$2a" + BOB[3:]}

    assert verify(auth, basic("alice", "secret"), basic("bob", "other"), users=users) == [Verdict.ADMITTED] * 2


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [b""],
        [b"Basic"],
        [b"Basic "],
        [b"Basic !!!"],
        [b"Basic YWxpY2U6c2VjcmV0x"],
        [b"Basic " + base64.b64encode(b"alice")],
        [b"Basic " + base64.b64encode(b"\xff\xfe:secret")],
        [b"Bearer YWxpY2U6c2VjcmV0"],
        [*basic("alice", "secret"), *basic("alice", "secret")],
    ],
)
def test_what_is_not_well_formed_is_refused_without_a_look(
    fields: list[bytes], auth: BasicAuth, hasher: Hasher
) -> None:
    assert verify(auth, fields) == [Verdict.REFUSED]
    assert hasher.runs == []


def test_the_scheme_has_no_case_and_passwords_may_have_colons(auth: BasicAuth) -> None:
    users = {"alice": bcrypt.hashpw(b"a:b:c", bcrypt.gensalt(4))}
    (field,) = basic("alice", "a:b:c")

    assert verify(auth, [field.replace(b"Basic", b"bASIC ")], users=users) == [Verdict.ADMITTED]


@pytest.mark.parametrize("password", [b"secret\0", b"\xff\xfe", b""])
def test_odd_passwords_are_wrong_ones(password: bytes, auth: BasicAuth) -> None:
    assert verify(auth, basic("alice", password), basic("nobody", password)) == [Verdict.REFUSED] * 2


def test_passwords_longer_than_bcrypt_looks_are_refused_and_cost_as_much(auth: BasicAuth, hasher: Hasher) -> None:
    users = {"alice": bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4))}
    asked = [basic("alice", b"x" * 72), basic("alice", b"x" * 73), basic("nobody", b"x" * 73)]

    assert verify(auth, *asked, users=users) == [Verdict.ADMITTED, Verdict.REFUSED, Verdict.REFUSED]
    assert len(hasher.runs) == 3


def test_an_unknown_name_costs_as_much_as_a_known_one(auth: BasicAuth, hasher: Hasher) -> None:
    names = [f"nobody-{number}" for number in range(40)]

    verify(auth, *(basic(name, "x") for name in names), *(basic(name, "x") for name in names))

    assert len(hasher.runs) == 80
    # Each name is compared at the cost of some user, and always the same.
    assert set(hasher.costs) == {4, 5}
    assert hasher.costs[:40] == hasher.costs[40:]


def test_good_credentials_are_looked_at_once_and_bad_ones_each_time(auth: BasicAuth, hasher: Hasher) -> None:
    verify(auth, *[basic("alice", "secret")] * 5)
    assert len(hasher.runs) == 1

    verify(auth, *[basic("alice", "wrong")] * 3, *[basic("nobody", "wrong")] * 3)
    assert len(hasher.runs) == 7

    assert verify(auth, basic("alice", "secret")) == [Verdict.ADMITTED]
    assert len(hasher.runs) == 7


def test_a_changed_hash_is_looked_at_anew(auth: BasicAuth, hasher: Hasher) -> None:
    changed = {**USERS, "alice": bcrypt.hashpw(b"new", bcrypt.gensalt(4))}

    assert verify(auth, basic("alice", "secret")) == [Verdict.ADMITTED]
    assert verify(auth, basic("alice", "secret"), basic("alice", "new"), users=changed) == [
        Verdict.REFUSED,
        Verdict.ADMITTED,
    ]
    assert verify(auth, basic("alice", "secret"), users={"bob": BOB}) == [Verdict.REFUSED]
    assert len(hasher.runs) == 4


def test_who_is_removed_while_the_password_is_examined_is_refused(auth: BasicAuth, hasher: Hasher) -> None:
    async def scenario() -> Verdict:
        hasher.go.clear()
        waiting = asyncio.create_task(auth.verify(USERS, basic("alice", "secret"), "192.0.2.1"))
        await until(lambda: hasher.runs, "bcrypt runs")
        await auth.verify({"bob": BOB}, [], "192.0.2.1")
        hasher.go.set()
        return await waiting

    assert asyncio.run(scenario()) is Verdict.REFUSED


def test_neither_passwords_nor_their_number_stay_in_memory(auth: BasicAuth) -> None:
    verify(auth, basic("alice", "secret"), basic("bob", "other"), *(basic(f"n{i}", f"guess-{i}") for i in range(50)))

    assert set(auth._known) == {"alice", "bob"}
    assert not any(b"secret" in digest or b"other" in digest for digest in auth._known.values())
    assert not auth._running
    assert not auth._clients


def test_a_flood_is_bounded_and_keeps_out_nobody_who_is_known_or_comes_from_elsewhere(
    auth: BasicAuth, hasher: Hasher
) -> None:
    async def scenario() -> None:
        assert await auth.verify(USERS, basic("alice", "secret"), "192.0.2.1") is Verdict.ADMITTED
        hasher.go.clear()
        flood = [
            asyncio.create_task(auth.verify(USERS, basic("alice", f"guess-{number}"), "192.0.2.66"))
            for number in range(200)
        ]
        await until(lambda: sum(task.done() for task in flood) == 196, "only four wait")
        assert {task.result() for task in flood if task.done()} == {Verdict.BUSY}
        # From wherever: known credentials need no look.
        assert await auth.verify(USERS, basic("alice", "secret"), "192.0.2.66") is Verdict.ADMITTED
        newcomer = asyncio.create_task(auth.verify(USERS, basic("bob", "other"), "192.0.2.2"))
        many = [
            asyncio.create_task(auth.verify(USERS, basic("alice", f"guess-{host}"), f"198.51.100.{host}"))
            for host in range(100)
        ]
        await until(lambda: any(task.done() for task in many), "the queue is full")
        assert len(auth._running) == 32
        hasher.go.set()
        assert await newcomer is Verdict.ADMITTED
        await asyncio.gather(*flood, *many)

    asyncio.run(scenario())
    assert hasher.threads == {"bcrypt_0"}


@pytest.mark.parametrize(
    ("addresses", "waiting"),
    [
        ([f"2001:db8:0:1::{number:x}" for number in range(1, 20)], 4),
        ([f"2001:db8:0:1::{number:x}%eth0" for number in range(1, 20)], 4),
        ([f"2001:db8:0:{number:x}::1" for number in range(1, 20)], 19),
        ([f"::ffff:192.0.2.{number}" for number in range(1, 20)], 19),
        ([f"192.0.2.{number}" for number in range(1, 20)], 19),
        ([""] * 19, 4),
    ],
    ids=["one network", "one link", "many networks", "IPv4 in IPv6", "IPv4", "unknown"],
)
def test_an_ipv6_network_counts_as_one_address(
    addresses: list[str], waiting: int, auth: BasicAuth, hasher: Hasher
) -> None:
    async def scenario() -> None:
        hasher.go.clear()
        asked = [
            asyncio.create_task(auth.verify(USERS, basic("alice", f"guess-{number}"), address))
            for number, address in enumerate(addresses)
        ]
        await until(lambda: len(auth._running) + sum(task.done() for task in asked) == len(asked), "all came so far")
        assert len(auth._running) == waiting
        hasher.go.set()
        await asyncio.gather(*asked)

    asyncio.run(scenario())
    assert not auth._clients


def test_the_same_credentials_at_the_same_time_are_examined_once(auth: BasicAuth, hasher: Hasher) -> None:
    async def scenario() -> list[Verdict]:
        hasher.go.clear()
        asked = [asyncio.create_task(auth.verify(USERS, basic("alice", "secret"), "192.0.2.1")) for _ in range(20)]
        await until(lambda: hasher.runs, "bcrypt runs")
        hasher.go.set()
        return await asyncio.gather(*asked)

    assert asyncio.run(scenario()) == [Verdict.ADMITTED] * 20
    assert len(hasher.runs) == 1


def test_a_client_that_leaves_spoils_nothing_for_others(auth: BasicAuth, hasher: Hasher) -> None:
    async def scenario() -> Verdict:
        hasher.go.clear()
        leaves, stays = (
            asyncio.create_task(auth.verify(USERS, basic("alice", "secret"), "192.0.2.1")) for _ in range(2)
        )
        await until(lambda: hasher.runs, "bcrypt runs")
        leaves.cancel()
        hasher.go.set()
        return await stays

    assert asyncio.run(scenario()) is Verdict.ADMITTED


def test_who_guesses_from_many_addresses_keeps_nobody_out_who_has_not_failed(auth: BasicAuth, hasher: Hasher) -> None:
    async def guess(host: int, number: int) -> Verdict:
        return await auth.verify(USERS, basic("alice", f"guess-{host}-{number}"), f"198.51.100.{host}")

    async def scenario() -> None:
        for host in range(60):
            assert await guess(host, 0) is Verdict.REFUSED
        hasher.go.clear()
        flood = [asyncio.create_task(guess(host, number)) for number in range(1, 5) for host in range(60)]
        await until(lambda: len(auth._running) + sum(task.done() for task in flood) == len(flood), "all came so far")
        assert len(auth._running) == 24
        newcomers = [
            asyncio.create_task(auth.verify(USERS, basic(*user), f"192.0.2.{host}"))
            for host, user in enumerate([("alice", "secret"), ("bob", "other"), ("alice", "wrong")])
        ]
        await until(lambda: len(auth._running) == 27, "the newcomers have places")
        await until(lambda: len(hasher.runs) == 61, "one of the flood is examined")
        hasher.go.set()
        assert await asyncio.gather(*newcomers) == [Verdict.ADMITTED, Verdict.ADMITTED, Verdict.REFUSED]
        # Before all the others.
        assert {password for password, _ in hasher.runs[61:64]} == {b"secret", b"other", b"wrong"}
        await asyncio.gather(*flood)

    asyncio.run(scenario())


def test_who_has_failed_and_then_is_right_has_not_failed(auth: BasicAuth, hasher: Hasher) -> None:
    async def scenario() -> None:
        client = "192.0.2.1"
        assert await auth.verify(USERS, basic("alice", "wrong"), client) is Verdict.REFUSED
        assert await auth.verify(USERS, basic("alice", "secret"), client) is Verdict.ADMITTED
        hasher.go.clear()
        others = [
            asyncio.create_task(auth.verify(USERS, basic("bob", f"guess-{host}"), f"198.51.100.{host}"))
            for host in range(24)
        ]
        await until(lambda: len(auth._running) == 24, "the places for everybody are taken")
        again = asyncio.create_task(auth.verify(USERS, basic("bob", "other"), client))
        await until(lambda: len(auth._running) == 25, "there is one more")
        hasher.go.set()
        assert await again is Verdict.ADMITTED
        await asyncio.gather(*others)

    asyncio.run(scenario())


def test_addresses_that_failed_are_remembered_only_so_far(auth: BasicAuth, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth_module, "_REMEMBERED", 5)

    async def scenario() -> None:
        for host in [*range(20), 17, 3]:
            await auth.verify(USERS, basic("alice", "wrong"), f"198.51.100.{host}")

    asyncio.run(scenario())
    assert list(auth._failed) == [f"198.51.100.{host}" for host in (16, 18, 19, 17, 3)]
