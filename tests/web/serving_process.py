"""A process that serves one large exposition until it is told to stop.

`serving_process.py DRAIN_SECONDS [CERTIFICATE KEY]`
"""

import ssl
import sys

from theeye_exporter import signals
from theeye_exporter.web.connection import ConnectionTerms
from theeye_exporter.web.server import bind, serve
from web.exporters import Exporter, Listen

if __name__ == "__main__":
    signals.listen()
    exporter = Exporter()
    exporter.publish_much()
    context = None
    if sys.argv[2:]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*sys.argv[2:])
    sockets = bind([Listen("127.0.0.1", 0)])
    print(sockets[0].getsockname()[1], flush=True)  # noqa: T201 - what the test waits for
    serve(exporter.app, sockets, drain_seconds=float(sys.argv[1]), policy=lambda: ConnectionTerms(context))
    print("stopped", flush=True)  # noqa: T201 - serve() has returned
