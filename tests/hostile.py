"""Servers that try to fill the exporter's memory: endless bodies, bombs, and lists that expand when decoded."""

import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count, repeat
from typing import Final

__all__ = ["ATTACKS", "attack", "main"]

_BLOCK: Final = 2**18


def _bomb() -> Iterator[bytes]:
    """An endless gzip body of spaces, a thousand times smaller than its content."""
    compressor = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    spaces = b" " * 2**20
    yield compressor.compress(b"[")
    while True:
        yield compressor.compress(spaces)


def _flood() -> Iterator[bytes]:
    """An endless body of spaces."""
    yield b"["
    yield from repeat(b" " * _BLOCK)


def _joined(item: str, size: int) -> Iterator[bytes]:
    """A list of `size` bytes; `#` in the item is replaced by a number."""
    block, made, separator = bytearray(), 0, b"["
    for number in count():
        block += separator + item.replace("#", str(number)).encode(errors="surrogateescape")
        separator = b","
        if len(block) >= _BLOCK:
            yield bytes(block)
            made += len(block)
            block.clear()
            if made >= size:
                break
    yield b"]"


_SIZE: Final = 63 * 2**20
_NAME: Final = "\N{FIRE}" * 500
_DISKS: Final = ",".join(f'"disk{number}":1' for number in range(3000))

_ITEMS: Final = {
    "empty objects": "{}",
    "empty lists": '{"id":"#","name":[' + ",".join(["[]"] * 3000) + "]}",
    "small dictionaries": '{"id":"#","tags":[' + ",".join(['{"a":1}'] * 3000) + "]}",
    "long strings of rare characters": f'{{"id":"#","name":"{"a" * 2**22}\N{FIRE}"}}',
    "small objects": '{"id":"#","name":"n","state":"normal","enable":true,"last_update":"2026-11-22T13:09:05Z"}',
    "long names": f'{{"id":"#","name":"{_NAME}","hostname":"{_NAME}","state":"normal","enable":true,'
    '"fails_count":1,"recovery_count":1,"looptime":1}',
    "many disks": '{"id":"#","name":"n","hostname":"' + "h" * 500 + '","type":"dstat","state":"normal",'
    f'"last_update":"2999-01-01T00:00:00Z","last_event":{{"data":{{"cpu":1,"disk":{{{_DISKS}}}}}}}}}',
    "jobs": '{"id":"#","_type":"ScriptJob","task_id":"t#","lifecycle":"finished","state":"success",'
    '"creation_date":"2026-11-22T13:09:05Z","last_update":"2026-11-22T13:09:06Z","tags":[]}',
    "jobs with long names": f'{{"id":"#","_type":"ScriptJob","task_id":"t#","lifecycle":"ready","name":"{"n" * 500}",'
    f'"hostname":"{"h" * 500}","creation_date":"2026-11-22T13:09:05Z","last_update":"2026-11-22T13:09:06Z"}}',
    "invalid UTF-8": '{"id":"#","name":"\udcff","tags":["a"]}',
    "nested without end": "[" * 10_000,
}

_SIZES: Final = {", half as long": 2, ", shorter": 3, ", short": 64}
"""What the names of attacks end with, and by which factor their lists are shorter: some are too short to be refused before
they are decoded, and some do not even count as large."""

_SHORTER: Final = {
    f"{name}{ending}": (name, size)
    for name, ending in (
        ("small objects", ", shorter"),
        ("long names", ", shorter"),
        ("jobs", ", shorter"),
        ("jobs", ", half as long"),
        ("many disks", ", shorter"),
        ("jobs with long names", ", shorter"),
        ("small objects", ", short"),
        ("many disks", ", short"),
        ("jobs", ", short"),
    )
    for size in (_SIZES[ending],)
}

ATTACKS: Final = ("bomb", "flood", *_ITEMS, *_SHORTER)


def body(name: str) -> Iterator[bytes]:
    """Return the body of an attack in pieces."""
    if name == "bomb":
        return _bomb()
    if name == "flood":
        return _flood()
    item, part = _SHORTER.get(name, (name, 1))
    return _joined(_ITEMS[item], _SIZE // part)


@contextmanager
def attack(names: list[str], port: int = 0) -> Iterator[str]:
    """Serve on a loopback port; yields the URL, below which `/NUMBER` is the base URL of the attack of this number."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            name = names[int(self.path.split("/")[1]) % len(names)]
            self.send_response_only(200)
            self.send_header("Connection", "close")
            if name == "bomb":
                self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            self.close_connection = True
            try:
                for block in body(name):
                    self.wfile.write(block)
            except OSError:
                """The exporter has seen enough."""

        def log_message(self, *_args: object) -> None:
            """Be silent."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def main(names: list[str], port: int) -> None:
    """Serve until killed."""
    with attack(names, port):
        threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[2:], int(sys.argv[1]))
