"""SSH keys of workspaces: kept like tokens, handed to the git service alone."""

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from protos.auth.v1 import auth_pb2 as pb
from services.core import errors
from tests.integration.auth.test_secrets import dump
from tests.integration.auth.world import Person, World
from tests.standins.ssh_host import make_key

HOSTS = "git.example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ6OLl4P2jQdNxzdz4T0RyBCQoLwTVUIeflC0Qkq3p9z\n"


def private_key(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | None = None) -> str:
    """Give the text of a private key."""
    made = key or ed25519.Ed25519PrivateKey.generate()
    return made.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def public_half(private: str) -> str:
    """Give the public half of a private key; the text of the private one differs each time it is written."""
    key = load_ssh_private_key(private.encode(), None).public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def set_key(
    world: World, admin: Person, kind: pb.KeyKind.ValueType, private: str, hosts: str = ""
) -> pb.SetWorkspaceKeyResponse:
    """Store a key of the workspace ``records``."""
    request = pb.SetWorkspaceKeyRequest(workspace="records", kind=kind, private_key=private, known_hosts=hosts)
    return world.stub.SetWorkspaceKey(request, metadata=admin.metadata)


def resolved(world: World, admin: Person, workspace: pb.Workspace, service: str = "git") -> pb.ResolveWorkspaceResponse:
    """Give what a service is told of a workspace."""
    request = pb.ResolveWorkspaceRequest(workspace_id=workspace.id)
    return world.stub.ResolveWorkspace(request, metadata=world.service(service, admin.tenant_id))


def test_the_git_service_gets_the_keys_and_the_pr_service_does_not(world: World) -> None:
    """Both keys and the host keys come back whole, to git alone; people see the public halves."""
    admin = world.tenant("team")
    workspace = world.workspace(admin)
    ssh, signing = private_key(), private_key()
    made = set_key(world, admin, pb.KEY_KIND_SSH, ssh, f"# a comment\n\n{HOSTS}")
    set_key(world, admin, pb.KEY_KIND_SIGNING, signing)
    git = resolved(world, admin, workspace)
    assert public_half(git.ssh_private_key) == public_half(ssh)
    assert public_half(git.signing_private_key) == public_half(signing)
    assert git.known_hosts == HOSTS
    pr = resolved(world, admin, workspace, "pr")
    assert (pr.ssh_private_key, pr.known_hosts, pr.signing_private_key) == ("", "", "")
    shown = world.stub.GetWorkspace(pb.GetWorkspaceRequest(workspace="records"), metadata=admin.metadata).workspace
    assert shown.ssh_public_key == made.public_key
    assert shown.signing_public_key.startswith("ssh-ed25519 ")
    assert ssh not in str(shown)


def test_the_fingerprint_is_the_one_that_ssh_keygen_shows(world: World, tmp_path: Path) -> None:
    """Somebody can compare it with their own."""
    admin = world.tenant("team")
    world.workspace(admin)
    file = tmp_path / "key"
    make_key(file, "rsa")
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "", "-m", "PEM", "-f", str(file)], check=True, stdout=-3)
    assert "BEGIN RSA" in file.read_text()
    made = set_key(world, admin, pb.KEY_KIND_SIGNING, file.read_text())
    shown = subprocess.run(["ssh-keygen", "-lf", str(file)], check=True, capture_output=True, text=True).stdout
    assert shown.split()[1] == made.fingerprint


def test_no_private_key_is_in_the_database_or_its_files(world: World, tmp_path: Path) -> None:
    """What is stored of a private key is encrypted, and is gone when the workspace goes."""
    admin = world.tenant("team")
    world.workspace(admin)
    private = private_key()
    set_key(world, admin, pb.KEY_KIND_SSH, private, HOSTS)
    body = private.splitlines()[2].encode()
    assert body not in dump(world.database)
    assert body not in b"".join(path.read_bytes() for path in tmp_path.glob("auth.db*"))
    world.stub.DeleteWorkspace(pb.DeleteWorkspaceRequest(workspace="records"), metadata=admin.metadata)
    assert b"git.example.org" not in dump(world.database)


def test_host_keys_change_without_the_key_and_are_never_missing(world: World) -> None:
    """A key without host keys is refused; new host keys leave the key as it is, and the other way round."""
    admin = world.tenant("team")
    workspace = world.workspace(admin)
    private = private_key()
    for given in (("", HOSTS), (private, "")):
        with pytest.raises(errors.InvalidInputError):
            set_key(world, admin, pb.KEY_KIND_SSH, *given)
    set_key(world, admin, pb.KEY_KIND_SSH, private, HOSTS)
    other = HOSTS.replace("git.", "[git.").replace(".org", ".org]:2222")
    set_key(world, admin, pb.KEY_KIND_SSH, "", other)
    told = resolved(world, admin, workspace)
    assert (public_half(told.ssh_private_key), told.known_hosts) == (public_half(private), other)
    set_key(world, admin, pb.KEY_KIND_SSH, private_key())
    assert resolved(world, admin, workspace).known_hosts == other


@pytest.mark.parametrize(
    ("kind", "private", "hosts", "says"),
    [
        (pb.KEY_KIND_SSH, "no key", HOSTS, "not a private SSH key"),
        (pb.KEY_KIND_SSH, private_key(), "nonsense", "line 1"),
        (pb.KEY_KIND_SSH, private_key(), HOSTS + "h ssh-rsa AAAA\x1b]0;\n", "line 2"),
        (pb.KEY_KIND_SIGNING, private_key(), HOSTS, "ssh remotes"),
        (pb.KEY_KIND_SIGNING, private_key(ec.generate_private_key(ec.SECP256R1())), "", "ECDSA"),
        (pb.KEY_KIND_SIGNING, "x" * 20_000, "", "too long"),
        (pb.KEY_KIND_UNSPECIFIED, private_key(), "", "what the key is for"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(
    world: World, kind: pb.KeyKind.ValueType, private: str, hosts: str, says: str
) -> None:
    """The message names the fault and holds nothing of the key."""
    admin = world.tenant("team")
    world.workspace(admin)
    with pytest.raises(errors.InvalidInputError, match=says) as refused:
        set_key(world, admin, kind, private, hosts)
    assert private[40:60] not in str(refused.value) or len(private) < 40


def test_a_key_is_forgotten_on_demand_and_when_the_address_moves_to_another_host(world: World) -> None:
    """The key for ssh remotes belongs to its host; the signing key to the workspace."""
    admin = world.tenant("team")
    world.workspace(admin)
    set_key(world, admin, pb.KEY_KIND_SSH, private_key(), HOSTS)
    set_key(world, admin, pb.KEY_KIND_SIGNING, private_key())
    change = pb.UpdateWorkspaceRequest(workspace="records", repository_url="git@github.com:team/other.git")
    same_host = world.stub.UpdateWorkspace(change, metadata=admin.metadata).workspace
    assert same_host.ssh_public_key
    change.repository_url = "git@git.example.org:team/records.git"
    moved = world.stub.UpdateWorkspace(change, metadata=admin.metadata).workspace
    assert (moved.ssh_public_key, bool(moved.signing_public_key)) == ("", True)
    for _ in range(2):
        request = pb.DeleteWorkspaceKeyRequest(workspace="records", kind=pb.KEY_KIND_SIGNING)
        world.stub.DeleteWorkspaceKey(request, metadata=admin.metadata)
    shown = world.stub.GetWorkspace(pb.GetWorkspaceRequest(workspace="records"), metadata=admin.metadata).workspace
    assert shown.signing_public_key == ""


def test_only_administrators_set_keys_and_never_those_of_another_tenant(world: World) -> None:
    """An editor is refused; another tenant's administrator finds no such workspace."""
    admin, stranger = world.tenant("team"), world.tenant("other")
    world.workspace(admin)
    editor = world.user(admin, "eve", pb.ROLE_EDITOR)
    for person, error in ((editor, errors.ForbiddenError), (stranger, errors.NotFoundError)):
        with pytest.raises(error):
            set_key(world, person, pb.KEY_KIND_SIGNING, private_key())
        request = pb.DeleteWorkspaceKeyRequest(workspace="records", kind=pb.KEY_KIND_SIGNING)
        with pytest.raises(error):
            world.stub.DeleteWorkspaceKey(request, metadata=person.metadata)
