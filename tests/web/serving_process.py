"""A process that serves one large exposition until it is told to stop: `serving_process.py DRAIN_SECONDS`."""

import sys

from theeye_exporter.web.server import bind, serve
from web.exporters import Exporter, Listen

if __name__ == "__main__":
    exporter = Exporter()
    exporter.publish_much()
    sockets = bind([Listen("127.0.0.1", 0)])
    print(sockets[0].getsockname()[1], flush=True)  # noqa: T201 - what the test waits for
    serve(exporter.app, sockets, drain_seconds=float(sys.argv[1]))
    print("stopped", flush=True)  # noqa: T201 - serve() has returned
