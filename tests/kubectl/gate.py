"""A door that holds one request back until something has happened.

The recording's kubelets ran pods at once: between two documents of one `kubectl apply` there was a StatefulSet's second
pod. Ours take longer. kubectl goes through this gate for that command, so that the order is the recorded one on any
machine.
"""

import contextlib
from collections.abc import Iterator
from http import HTTPStatus
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from tests.serving.installation import eventually

DROPPED = {"connection", "transfer-encoding", "content-length", "host", "keep-alive"}


@contextlib.contextmanager
def gate(port: int, held: str, until: str) -> Iterator[str]:
    """The address of a server that forwards to `port`; a POST whose path contains `held` waits until `until` is there.

    Both are paths of the API.
    """

    def is_there() -> bool:
        asking = HTTPConnection("127.0.0.1", port, timeout=60)
        asking.request("GET", until)
        found = asking.getresponse().status
        asking.close()
        return found == HTTPStatus.OK

    class Gate(BaseHTTPRequestHandler):
        def forward(self) -> None:
            if self.command == "POST" and held in self.path:
                eventually(is_there, 60, until)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name: value for name, value in self.headers.items() if name.lower() not in DROPPED}
            behind = HTTPConnection("127.0.0.1", port, timeout=60)
            behind.request(self.command, self.path, body, headers)
            answer = behind.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in DROPPED:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            behind.close()

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = forward

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Gate)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
