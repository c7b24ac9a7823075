"""Web configuration files and the server that goes by them."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import bcrypt

from theeye_exporter.web.security.auth import BasicAuth
from theeye_exporter.web.security.guard import Guard
from theeye_exporter.web.security.live import LiveWebFile
from web.certificates import Authority
from web.conftest import served
from web.exporters import NOW, Exporter

__all__ = ["Protected", "hashed", "protected"]

TLS: Final = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"


def hashed(password: str) -> str:
    """Return a hash that takes no time."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


class Protected:
    """A web configuration file beside its certificates, and what goes by it."""

    def __init__(
        self,
        folder: Path,
        text: str,
        monotonic: Callable[[], float] = lambda: 0.0,
        *,
        demand_authentication: bool = False,
    ) -> None:
        self.authority = Authority(folder)
        self.file = folder / "web.yml"
        self.write(text)
        self.now = NOW
        self.live = LiveWebFile(self.file, lambda: self.now, demand_authentication=demand_authentication)
        self.auth = BasicAuth()
        self.exporter = Exporter.ready()
        self.guard = Guard(self.exporter.app, self.live, self.auth, monotonic)

    def write(self, text: str) -> None:
        """Replace the file, as an editor would."""
        self.file.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def protected(folder: Path, text: str, monotonic: Callable[[], float] = lambda: 0.0) -> Iterator[tuple[Protected, str]]:
    """Serve an exporter behind the file; yields both the file and the URL, which begins with https in any case."""
    what = Protected(folder, text, monotonic)
    try:
        with served(what.guard, what.live.terms) as url:
            yield what, url
    finally:
        what.auth.close()
