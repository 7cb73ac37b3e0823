"""Addresses of ssh remotes, the agent's protocol, and what a key signs."""

import base64
import struct

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from services.git import signing, ssh_address, ssh_agent
from services.git.ports import Token
from services.git.ssh_address import SshAddress
from services.git.ssh_keys import RSA_SHA512, SshKey, string

PRIVATE = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
KEY = SshKey(Token(PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()))
FAILURE = b"\x05"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("git@forge.example:team/records.git", SshAddress("git", "forge.example", 22)),
        ("forge.example:/srv/records.git", SshAddress("", "forge.example", 22)),
        ("ssh://git@Forge.example/team/records.git", SshAddress("git", "forge.example", 22)),
        ("ssh://git@forge.example:2222/~/records", SshAddress("git", "forge.example", 2222)),
        ("ssh://[2001:db8::1]:22/x", SshAddress("", "2001:db8::1", 22)),
    ],
)
def test_both_forms_of_an_address_are_read(url: str, address: SshAddress) -> None:
    """User, host and port are found where git would find them."""
    assert ssh_address.parse(url) == address
    assert ssh_address.is_ssh(url)


def test_a_host_is_known_by_its_port_where_that_is_not_the_usual_one() -> None:
    """As known_hosts files name it."""
    assert SshAddress("", "h", 22).known_as == "h"
    assert SshAddress("", "h", 2222).known_as == "[h]:2222"


@given(st.text(st.characters(codec="ascii"), max_size=40))
def test_no_part_of_an_address_can_be_an_option(text: str) -> None:
    """Whatever is accepted has a user and host that begin with a letter or digit, without any sign of a shell."""
    for url in (text, f"ssh://{text}/x", f"ssh://{text}", f"{text}:x", f"git@{text}:x"):
        found = ssh_address.parse(url)
        if found:
            assert not set(found.user + found.host) & set(" \t\n;&|$`'\"\\<>()%*?#/@")
            assert found.host[0].isalnum() or found.host.startswith(":")
            assert not found.user.startswith("-")


@pytest.mark.parametrize("url", ["https://h/x", "http://h:80/x", "file:///x", "/srv/x:y", "records"])
def test_other_addresses_are_not_ssh(url: str) -> None:
    """A colon behind a slash is part of a path."""
    assert not ssh_address.is_ssh(url)


def test_the_agent_shows_its_key_and_signs_with_no_other() -> None:
    """The list has one key; a request for that is signed, one for another is refused."""
    listed = ssh_agent.answer(KEY, b"\x0b")
    assert listed == b"\x0c" + struct.pack(">I", 1) + string(KEY.blob) + string(b"lockstep")
    asked = b"\x0d" + string(KEY.blob) + string(b"data") + struct.pack(">I", RSA_SHA512)
    answer = ssh_agent.answer(KEY, asked)
    assert answer[:1] == b"\x0e"
    PRIVATE.public_key().verify(answer[-64:], b"data")
    other = b"\x0d" + string(KEY.blob[:-1] + b"?") + string(b"data") + struct.pack(">I", 0)
    assert ssh_agent.answer(KEY, other) == FAILURE


@given(st.binary(max_size=200))
def test_the_agent_answers_nonsense_with_a_failure(message: bytes) -> None:
    """Nothing that is cut off, too long or unknown is signed or ends the agent."""
    for asked in (b"\x0d" + message, message):
        answer = ssh_agent.answer(KEY, asked)
        assert answer == FAILURE or asked[:1] == b"\x0b"


def test_a_signature_is_of_this_content_alone() -> None:
    """It is an armoured SSHSIG of the namespace git; another content has another one."""
    armoured = signing.signature(KEY, b"content")
    assert armoured.startswith("-----BEGIN SSH SIGNATURE-----\n")
    assert max(map(len, armoured.splitlines())) <= 70
    blob = base64.b64decode("".join(armoured.splitlines()[1:-1]))
    assert blob.startswith(b"SSHSIG" + struct.pack(">I", 1) + string(KEY.blob) + string(b"git"))
    assert signing.signature(KEY, b"other") != armoured
    with pytest.raises(InvalidSignature):
        PRIVATE.public_key().verify(blob[-64:], b"content")


def test_a_key_shows_its_public_half_only() -> None:
    """Neither the key nor what it came from is in a repr."""
    assert repr(KEY) == f"SshKey({KEY.public})"
    assert KEY.public.startswith("ssh-ed25519 ")
