"""An SSH agent with one key, for one ssh process: the key stays in memory, ssh gets signatures.

It speaks what draft-miller-ssh-agent asks of an agent that is only used: the list of keys and signatures.
Everything else is answered with a failure, which ssh takes for "not supported".
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from services.git.ssh_keys import SshKey, string

_FAILURE: Final = b"\x05"
_REQUEST_IDENTITIES: Final = 11
_IDENTITIES_ANSWER: Final = b"\x0c"
_SIGN_REQUEST: Final = 13
_SIGN_RESPONSE: Final = b"\x0e"
_MAX_MESSAGE: Final = 256 * 1024
_POLL_SECONDS: Final = 0.2


@contextlib.contextmanager
def serving(key: SshKey, at: Path) -> Iterator[None]:
    """Answer for a key on a socket, which lies in a folder of our own, as long as the context lasts."""
    ended = threading.Event()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(at))
        listener.listen()
        listener.settimeout(_POLL_SECONDS)
        thread = threading.Thread(target=_accept, args=(listener, key, ended), name="git-ssh-agent", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def answer(key: SshKey, message: bytes) -> bytes:
    """Give the answer to one message, both without their lengths."""
    try:
        if message[0] == _REQUEST_IDENTITIES:
            return _IDENTITIES_ANSWER + struct.pack(">I", 1) + string(key.blob) + string(b"lockstep")
        if message[0] == _SIGN_REQUEST:
            blob, rest = _taken(message[1:])
            data, rest = _taken(rest)
            (flags,) = struct.unpack(">I", rest)
            if blob == key.blob:
                return _SIGN_RESPONSE + string(key.sign(data, flags))
    except (struct.error, IndexError):
        pass
    return _FAILURE


def _accept(listener: socket.socket, key: SshKey, ended: threading.Event) -> None:
    while not ended.is_set():
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        except OSError:
            return
        with connection, contextlib.suppress(OSError):
            connection.settimeout(_POLL_SECONDS)
            _converse(connection, key, ended)


def _converse(connection: socket.socket, key: SshKey, ended: threading.Event) -> None:
    """Answer one client until it goes; ssh asks over one connection."""
    while head := _read(connection, 4, ended):
        (size,) = struct.unpack(">I", head)
        message = _read(connection, size, ended) if 0 < size <= _MAX_MESSAGE else b""
        if not message:
            return
        connection.sendall(string(answer(key, message)))


def _read(connection: socket.socket, size: int, ended: threading.Event) -> bytes:
    """Read exactly ``size`` bytes; nothing when the client or the context has gone."""
    data = b""
    while len(data) < size and not ended.is_set():
        try:
            piece = connection.recv(size - len(data))
        except TimeoutError:
            continue
        if not piece:
            return b""
        data += piece
    return data if len(data) == size else b""


def _taken(data: bytes) -> tuple[bytes, bytes]:
    (size,) = struct.unpack(">I", data[:4])
    if len(data) < 4 + size:
        raise struct.error("a string is cut off")
    return data[4 : 4 + size], data[4 + size :]
