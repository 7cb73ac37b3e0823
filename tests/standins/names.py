"""A name service that answers what it is told to, each time something else if need be."""

import socket
from typing import Any

import pytest


class Names:
    """The answers by name; the last one is repeated. Literal addresses and unknown names are as ever."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        """Answer in place of the system for as long as ``patch`` lasts."""
        self.answers: dict[str, list[list[str]]] = {}
        self.asked: list[str] = []
        self._system = socket.getaddrinfo
        patch.setattr(socket, "getaddrinfo", self._getaddrinfo)

    def put(self, name: str, *answers: list[str]) -> None:
        """Have a name answered by lists of addresses, one after another."""
        self.answers[name] = list(answers)

    def _getaddrinfo(self, host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in self.answers:
            return self._system(host, port, *args, **kwargs)
        self.asked.append(host)
        answers = self.answers[host]
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        kind = socket.SOCK_STREAM
        return [
            (socket.AF_INET6, kind, 6, "", (address, port, 0, 0))
            if ":" in address
            else (socket.AF_INET, kind, 6, "", (address, port))
            for address in found
        ]
