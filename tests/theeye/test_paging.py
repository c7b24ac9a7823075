"""Pages shrink when TheEye is too slow, and grow again."""

import contextlib
from collections.abc import Callable

import pytest

from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.paging import PageSize

PATIENCE = 300.0


class Server:
    """Needs some seconds for each object."""

    def __init__(self, size: PageSize, advance: Callable[[float], None]) -> None:
        self.seconds_per_object = 0.0
        self.asked: list[int] = []
        self._size = size
        self._advance = advance

    def ask(self) -> None:
        self.asked.append(self._size.now)
        took = self._size.now * self.seconds_per_object
        with self._size.adjusted():
            self._advance(min(took, PATIENCE))
            if took > PATIENCE:
                raise UpstreamError(Reason.TIMEOUT, "too slow")


@pytest.fixture
def server() -> Server:
    now = [0.0]

    def advance(seconds: float) -> None:
        now[0] += seconds

    return Server(PageSize(500, PATIENCE, lambda: now[0]), advance)


def ask(server: Server, times: int) -> list[int]:
    server.asked.clear()
    for _ in range(times):
        with contextlib.suppress(UpstreamError):
            server.ask()
    return server.asked


def test_pages_are_halved_after_each_timeout_and_grow_when_the_server_is_fast(server: Server) -> None:
    server.seconds_per_object = 1.0
    # 250 objects take 250 s: that is in time, and too slow for more.
    assert ask(server, 4) == [500, 250, 250, 250]
    server.seconds_per_object = 100.0
    assert ask(server, 5) == [250, 125, 62, 50, 50]
    server.seconds_per_object = 0.01
    assert ask(server, 6) == [50, 100, 200, 400, 500, 500]


@pytest.mark.parametrize("seconds", [0.001, 0.07, 0.3, 0.61, 1.0, 2.3, 5.9])
def test_a_server_of_steady_speed_is_not_asked_for_too_much_again_and_again(seconds: float, server: Server) -> None:
    server.seconds_per_object = seconds
    asked = ask(server, 30)
    assert asked[10:] == [asked[10]] * 20
    assert asked[10] * seconds <= PATIENCE


@pytest.mark.parametrize("reason", sorted(set(Reason) - {Reason.TIMEOUT}))
def test_other_failures_say_nothing_about_the_size(reason: Reason) -> None:
    size = PageSize(500, PATIENCE)
    with pytest.raises(UpstreamError), size.adjusted():
        raise UpstreamError(reason, "failed")
    assert size.now == 500
