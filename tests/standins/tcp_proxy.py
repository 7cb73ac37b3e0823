"""A line between a client and a server that can be held up or cut after so many bytes."""

import contextlib
import socket
import threading
from urllib.parse import urlsplit


class TcpProxy:
    """Passes connections on to a server until it is told to ``hang`` or ``cut`` them.

    ``after`` is how many bytes of the server's answers still come through, over all connections.
    """

    def __init__(self, url: str) -> None:
        """Take the server's address and listen on a free port of this machine."""
        parts = urlsplit(url)
        self._server = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._fault = ""
        self._left = 0
        self._passed = 0
        self._changed = threading.Condition()
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def hang(self, after: int = 0) -> None:
        """Let so many bytes through and then no more."""
        self._set("hang", after)

    def cut(self, after: int = 0) -> None:
        """Let so many bytes through and then close the connections."""
        self._set("cut", after)

    def heal(self) -> None:
        """Let everything through again."""
        self._set("", 0)

    def stop(self) -> None:
        """Close everything."""
        self._set("cut", 0)
        self._listener.close()
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.close()

    def stopped(self) -> bool:
        """Say whether the fault has struck."""
        return bool(self._fault) and self._left <= 0

    def _set(self, fault: str, after: int) -> None:
        with self._changed:
            self._fault, self._left = fault, after
            self._changed.notify_all()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                self._sockets += [client, server]
                threading.Thread(target=self._pass, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self._pass, args=(server, client, True), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:  # noqa: FBT001
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                sink.sendall(self._allowed(data) if counted else data)
                if counted and self.stopped() and self._fault == "cut":
                    break
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _allowed(self, data: bytes) -> bytes:
        with self._changed:
            if not self._fault:
                return data
            if self._left >= len(data):
                self._left -= len(data)
                return data
            head, self._left = data[: max(0, self._left)], 0
            self._changed.wait_for(lambda: self._fault != "hang", timeout=60)
            return head if self._fault == "cut" else data
