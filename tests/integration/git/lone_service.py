"""The git service in a process of its own, to be killed: ``python -m tests.integration.git.lone_service``.

Reads one line of JSON from standard input: data folder, public key (hex), workspaces, lock_seconds. Writes
the address it serves on. Tokens come by standard input, so that they are in no command line.
"""

import json
import sys
import threading
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.git import server
from services.git.ports import RemoteAddress, Token
from services.git.remotes import Policy
from services.runtime import logs, serve
from services.runtime.identity import Verifier
from tests.integration.git.conftest import TENANT, KnownWorkspaces


def main() -> None:
    """Serve until killed."""
    given = json.loads(sys.stdin.readline())
    logs.configure("debug")
    workspaces = KnownWorkspaces()
    for name, one in given["workspaces"].items():
        token = Token(one.get("token", ""))
        workspaces.known[TENANT, name] = RemoteAddress(one["url"], one["url"], one.get("branch", "main"), "u", token)
    policy = replace(Policy.standalone(), lock_seconds=given.get("lock_seconds", 30.0))
    servicer = server.wire(Path(given["data"]), workspaces, policy)
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(given["key"]))
    running = serve.start(
        server.SERVICE,
        lambda grpc_server: server.register(grpc_server, servicer),
        settings=serve.ServerSettings("127.0.0.1:0"),
        verifier=Verifier(lambda: {"k": key}),
    )
    print(running.address, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
