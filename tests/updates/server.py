"""A web server for a folder, with ranges, and with the faults that a test asks for."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any


class FaultyServer:
    """Serves a folder on 127.0.0.1. The fields are faults, and may change while it serves.

    `cut` closes each connection after so many bytes of a body; `drip` sends one byte per so many seconds;
    `endless` names paths whose body never ends; `ranges` off ignores Range; `length` off sends no Content-Length;
    `status` answers a request, by its path, with another status.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cut: int | None = None
        self.drip: float | None = None
        self.endless = ""
        self.ranges = True
        self.length = True
        self.status: Callable[[str], int] = lambda path: 200
        self.paths: list[str] = []
        self.proxy_users: list[str | None] = []
        self.sent = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FaultyServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.drip, self.endless = None, ""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(server: FaultyServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.paths.append(self.path)
            server.proxy_users.append(self.headers.get("Proxy-Authorization"))
            path = server.folder / self.path.split("://")[-1].partition("/")[2].lstrip("/")
            status = server.status(self.path)
            if server.endless and server.endless in self.path:
                self._endless()
            elif status != 200:
                self._head(status, 0)
            elif not path.is_file():
                self._head(404, 0)
            else:
                self._file(path.read_bytes())

        def _file(self, data: bytes) -> None:
            given = self.headers.get("Range")
            offset = int(given[6:-1]) if given and server.ranges else 0
            if offset and offset >= len(data):
                self._head(416, 0)
                return
            body = data[offset:]
            self._head(206 if offset else 200, len(body))
            self._send(body)

        def _head(self, status: int, length: int) -> None:
            self.send_response(status)
            if server.length:
                self.send_header("Content-Length", str(length))
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True

        def _send(self, body: bytes) -> None:
            if server.drip is not None:
                for index in range(len(body)):
                    if server.drip is None or not self._write(body[index : index + 1]):
                        break
                    time.sleep(server.drip)
                return
            self._write(body if server.cut is None else body[: server.cut])
            if server.cut is not None and len(body) > server.cut:
                self.connection.shutdown(socket.SHUT_RDWR)

        def _endless(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.close_connection = True
            while server.endless and self._write(b"x" * 65536):
                pass

        def _write(self, data: bytes) -> bool:
            server.sent += len(data)  # first: the client has what it asked for before a write returns
            try:
                self.wfile.write(data)
                self.wfile.flush()
            except OSError:  # the client has gone
                server.sent -= len(data)
                return False
            return True

        def log_message(self, *arguments: Any) -> None:
            """Nothing is printed."""

    return Handler
