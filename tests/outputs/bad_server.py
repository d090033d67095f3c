"""An HTTP server that behaves as badly as it is told."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Request:
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """Answers each request as the next of `script` says, and 200 when that has run out.

    A step is a status, or `stall`, `drip` (an answer without end), `drop` (half an answer), or a
    status with headers. What it accepts takes effect once for each webhook-id.
    """

    url: str = ""
    script: list[Any] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    effects: dict[str, bytes] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serving() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            state.requests.append(Request({k.lower(): v for k, v in self.headers.items()}, body))
            step = state.script.pop(0) if state.script else 200
            if step == "stall":
                state.stop.wait(20)
                self.close_connection = True
            elif step == "drip":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nx: ")
                while not state.stop.wait(0.05):
                    try:
                        self.wfile.write(b"y")
                    except OSError:
                        break
                self.close_connection = True
            elif step == "drop":
                self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-le")
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
            else:
                status, headers = step if isinstance(step, tuple) else (step, {})
                if 200 <= status < 300:
                    state.effects.setdefault(self.headers["webhook-id"] or str(time.time()), body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

        do_GET = do_POST  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.daemon_threads = True
        state.url = f"http://127.0.0.1:{running.server_port}/hook/s3cr3t-path"
        thread = threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield state
        state.stop.set()
        running.shutdown()
