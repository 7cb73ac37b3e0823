import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from protos.auth.v1 import auth_pb2 as pb
from services.auth import bootstrap, server, tables
from services.auth.vault import Vault
from services.core.errors import InvalidInputError, StateError
from services.runtime.database import Database
from tests.integration.auth.world import INTERNAL_KEY, Clock, World


def dump(database: Database) -> bytes:
    """Give all that is in the tables, as text."""
    with database.read("") as tx:
        return b"\n".join(
            value if isinstance(value, bytes) else str(value).encode()
            for table in tables.metadata.sorted_tables
            for row in tx.execute(sa.select(table))
            for value in row
        )


def test_no_token_is_in_the_database_or_its_files(world: World, canary: str, tmp_path: Path) -> None:
    """Forge tokens are there encrypted, session tokens as hashes, also after errors and repeats."""
    admin = world.tenant("team")
    request = pb.CreateWorkspaceRequest(
        name="records", repository_url="https://github.com/a/b", token=canary, request_id="r"
    )
    for _ in range(2):
        world.stub.CreateWorkspace(request, metadata=admin.metadata)
    made = world.stub.CreateSession(pb.CreateSessionRequest(label="x"), metadata=admin.metadata)
    credential = pb.SetCredentialRequest(workspace="records", token=canary)
    world.stub.SetCredential(credential, metadata=admin.metadata)
    files = b"".join(path.read_bytes() for path in tmp_path.glob("auth.db*"))
    for token in (canary, admin.token, made.token, world.operator_token, world.master_key):
        assert token.encode() not in dump(world.database)
        assert token.encode() not in files


def test_a_credential_moved_to_another_workspace_does_not_open(world: World) -> None:
    """Ciphertext is bound to its row: swapping rows in the database gives an error, not a token."""
    admin = world.tenant("team")
    rich = world.workspace(admin, "rich", token="t0k3n")
    poor = world.workspace(admin, "poor", token="other")
    rows = tables.credentials
    with world.database.begin(admin.tenant_id) as tx:
        stolen = tx.execute(sa.select(rows.c.ciphertext).where(rows.c.workspace_id == rich.id)).scalar_one()
        tx.execute(sa.update(rows).where(rows.c.workspace_id == poor.id).values(ciphertext=stolen))
    with pytest.raises(StateError):
        world.stub.ResolveWorkspace(
            pb.ResolveWorkspaceRequest(workspace_id=poor.id), metadata=world.service("git", admin.tenant_id)
        )


def test_a_wrong_master_key_stops_the_start(world: World) -> None:
    """The error says what to set; the right key among several starts."""
    other = Fernet.generate_key().decode()
    with pytest.raises(StateError) as refused:
        server.wire(database=world.database, vault=Vault.open(other), internal_key=INTERNAL_KEY)
    assert refused.value.reason == "MASTER_KEY"
    assert "secrets.master_keys" in refused.value.remedy
    both = Vault.open(f"{other},{world.master_key}")
    server.wire(database=world.database, vault=both, internal_key=INTERNAL_KEY)


def test_a_restart_keeps_the_signing_key(world: World) -> None:
    """An identity signed before is good afterwards, and replicas do not make keys of their own."""
    server.wire(
        database=world.database, vault=Vault.open(world.master_key), internal_key=INTERNAL_KEY, clock=world.clock
    )
    assert len(world.stub.ListVerificationKeys(pb.ListVerificationKeysRequest()).keys) == 1


def test_a_weak_internal_key_stops_the_start(database: Database) -> None:
    """Without a real key, anybody could prove to be a service."""
    vault = Vault.open(Fernet.generate_key().decode())
    for key in (b"", b"short"):
        with pytest.raises(InvalidInputError):
            server.wire(database=database, vault=vault, internal_key=key)


def test_the_first_token_is_made_once_and_kept_for_its_owner_only(world: World, tmp_path: Path) -> None:
    """A second start gives nothing new; the file can be read by nobody else."""
    path = tmp_path / "admin-token"
    path.write_text(world.operator_token + "\n")
    assert bootstrap.ensure_admin_token_file(world.database, path, clock=world.clock) is None
    assert bootstrap.ensure_first_admin(world.database, clock=world.clock) is None
    path.unlink()
    made = bootstrap.ensure_admin_token_file(world.database, path, clock=world.clock)
    assert made is not None
    assert path.read_text() == made.reveal() + "\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_lost_first_token_is_replaced_and_lets_nobody_in_any_more(world: World, tmp_path: Path) -> None:
    """Whoever found the lost file has nothing in hand."""
    path = tmp_path / "admin-token"
    made = bootstrap.ensure_admin_token_file(world.database, path, clock=world.clock)
    assert made is not None
    assert world.person(made.reveal()).user.role == pb.ROLE_OPERATOR
    with pytest.raises(Exception, match="revoked"):
        world.operator()
    path.unlink()


def test_the_first_token_does_not_end(world: World) -> None:
    """It is still good after ten years: the owner of the machine is not locked out."""
    world.clock.ahead = 10 * 365 * 24 * 3600
    request = pb.ExchangeSessionRequest(session_token=world.operator_token)
    assert world.stub.ExchangeSession(request).user.username == "admin"


def test_two_starts_at_once_make_one_first_operator(database: Database) -> None:
    """Several replicas may start on an empty database; one of them gets the token."""
    barrier = threading.Barrier(3)

    def start() -> bool:
        barrier.wait()
        return bootstrap.ensure_first_admin(database, clock=Clock()) is not None

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(lambda _: start(), range(3))) == [False, False, True]


def test_equal_requests_at_once_make_one_workspace(world: World) -> None:
    """Four clients send the same request id at the same time: one workspace, one answer."""
    metadata = world.operator().metadata
    request = pb.CreateWorkspaceRequest(name="records", repository_url="https://github.com/a/b", request_id="same")
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(world.stub.CreateWorkspace, request, metadata=metadata) for _ in range(4)]
        assert len({call.result().workspace.id for call in calls}) == 1
    events = world.stub.ListAuditEvents(pb.ListAuditEventsRequest(), metadata=metadata).events
    assert [event.action for event in events].count("workspace.create") == 1


@pytest.mark.parametrize(
    ("environment", "code", "said"),
    [
        ({}, 2, "LOCKSTEP_TLS__CERTIFICATE"),
        ({"LOCKSTEP_MODE": "standalone", "LOCKSTEP_LISTEN": "0.0.0.0:0"}, 2, "TLS"),
        ({"LOCKSTEP_MODE": "standalone"}, 2, "secrets.master_keys"),
        ({"LOCKSTEP_SECRETS__MASTER_KEYS": "changeme" * 8}, 2, "placeholder"),
    ],
)
def test_the_service_does_not_start_half_configured(
    environment: dict[str, str], code: int, said: str, tmp_path: Path
) -> None:
    """One line says what is missing; there is no traceback and nothing listens."""
    command = [sys.executable, "-m", "services.auth"]
    variables = {"LOCKSTEP_MODE": "server", "LOCKSTEP_DATA": str(tmp_path), "HOME": str(tmp_path), **environment}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert done.stderr.count("\n") == 1
