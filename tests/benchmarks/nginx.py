"""Runs nginx, which serves the exporter's responses as files."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.programs import pinned
from processes import eventually

__all__ = ["serving"]

# Connections are kept for ever, as the exporter keeps them. The other settings are those that were fastest.
_CONFIGURATION: Final = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 64; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    root {folder};
    types {{ }}
    default_type "text/plain; version=0.0.4; charset=utf-8";
    location = /gzip {{ add_header Content-Encoding gzip; }}
  }}
}}
"""
_IN_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it


@contextmanager
def serving(program: str, port: int, compressed: bytes, plain: bytes, log: Path) -> Iterator[int]:
    """Serve `/gzip` and `/plain` while the block runs; yields the process id of the worker.

    The files are in memory where the machine has such a place: no file system gets between nginx and the socket.
    """
    with TemporaryDirectory(dir=_IN_MEMORY if os.access(_IN_MEMORY, os.W_OK) else None) as name:
        folder = Path(name)
        folder.chmod(0o755)  # the worker of a master that is root is somebody else
        (folder / "gzip").write_bytes(compressed)
        (folder / "plain").write_bytes(plain)
        (folder / "nginx.conf").write_text(_CONFIGURATION.format(folder=folder, port=port))
        with pinned([program, "-p", name, "-c", f"{name}/nginx.conf", "-e", "stderr"], log) as master:
            children = Path(f"/proc/{master}/task/{master}/children")
            yield int(eventually(lambda: children.read_text().split(), "nginx has a worker")[0])
