"""Attacks by message: whatever is in a field, the answer is a typed error or a harmless success.

Never a crash, a hang, a file outside the workspace's folder, or a process that goes on.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protos.git.v1 import git_pb2, git_pb2_grpc
from services.core import errors
from tests.integration.git.conftest import META, TENANT, WORKSPACE, Service, fetch
from tests.integration.git.hostile import BYTES, MARKER, STRINGS, files_outside, outcome, working_gits, zombies
from tests.integration.git.test_writing import ADA, commit
from tests.standins.git_http import git

METHODS: list[MethodDescriptor] = list(git_pb2.DESCRIPTOR.services_by_name["GitService"].methods)
SECONDS = 20.0
Hostile = Callable[[str], Message]


def fields_of(message: Any, kind: int) -> Iterator[tuple[str, ...]]:
    """Give the paths of all fields of a kind in a message type, those of its parts included."""
    for field in message.fields:
        if field.type == kind:
            yield (field.name,)
        elif field.message_type:
            yield from ((field.name, *path) for path in fields_of(field.message_type, kind))


KINDS: dict[int, list[str] | list[bytes]] = {FieldDescriptor.TYPE_STRING: STRINGS, FieldDescriptor.TYPE_BYTES: BYTES}
# Each field gets every seventh value in a quick run, another seventh in another field.
QUICK = 7


@pytest.fixture
def known(service: Service, remote: Path) -> dict[str, str]:
    """Give values that make sense, by the name of the field, so that the hostile one is reached."""
    fetch(service.stub())
    head, older = git(remote, "rev-parse", "main"), git(remote, "rev-parse", "main~1")
    blob = git(remote, "rev-parse", "main:README.md")
    heads = ("new_oid", "old_oid", "oid", "commit_oid", "base_oid", "ours_oid", "theirs_oid", "to_oid")
    known = {"workspace_id": WORKSPACE, "branch": "main", "oids": blob, "expected_old_oid": head, "from_oid": older}
    return known | dict.fromkeys(heads, head)


def sensible(kind: type[Message], known: dict[str, str]) -> Any:
    """Give a message with a sensible value in every field."""
    message: Any = kind()
    for field in message.DESCRIPTOR.fields:
        if field.type == FieldDescriptor.TYPE_STRING:
            value: Any = known.get(field.name, "x")
            if field.name == "page_token":
                continue
        elif field.type == FieldDescriptor.TYPE_BYTES:
            value = b"README.md"
        elif field.message_type and field.message_type.full_name.startswith("lockstep"):
            value = sensible(GetMessageClass(field.message_type), known)
        else:
            continue
        if field.is_repeated:
            getattr(message, field.name).append(value)
        elif field.message_type:
            getattr(message, field.name).CopyFrom(value)
        else:
            setattr(message, field.name, value)
    return message


def put(message: Any, path: tuple[str, ...], value: str | bytes) -> None:
    """Set one field of a message, whatever lies on the way."""
    *parents, last = path
    for parent in parents:
        child: Any = getattr(message, parent)
        message = (child[0] if len(child) else child.add()) if hasattr(child, "add") else child
    old = getattr(message, last)
    if hasattr(old, "append"):
        del old[:]
        old.append(value)
    else:
        setattr(message, last, value)


def requests(method: MethodDescriptor, message: Any, known: dict[str, str]) -> object:
    """Give what a stub's method takes: a message, or a stream that leads up to it."""
    if not method.client_streaming:
        return message
    if method.name == "CreateCommit" and message.WhichOneof("part") != "header":
        header = git_pb2.CommitHeader(
            workspace_id=WORKSPACE, base_oid=known["base_oid"], message="m", author=ADA, committer=ADA, time=1
        )
        return iter([git_pb2.CreateCommitRequest(header=header), message])
    return iter([message])


@pytest.mark.parametrize("step", [QUICK, pytest.param(1, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_no_string_is_taken_for_an_option(
    service: Service, known: dict[str, str], tmp_path: Path, method: MethodDescriptor, step: int
) -> None:
    """Each field of each request gets hostile values, while the other fields make sense."""
    call = getattr(service.stub(), method.name)
    before = files_outside(tmp_path, service.data / "git" / TENANT)
    paths = [(path, KINDS[kind]) for kind in KINDS for path in fields_of(method.input_type, kind)]
    for number, (path, values) in enumerate(paths):
        for value in values[number % step :: step]:
            message = sensible(GetMessageClass(method.input_type), known)
            put(message, path, value)
            sent = requests(method, message, known)
            outcome(lambda sent=sent: call(sent, metadata=META, timeout=SECONDS))  # type: ignore[misc]
    assert files_outside(tmp_path, service.data / "git" / TENANT) - before <= written_by_pushes(tmp_path)
    assert not list(tmp_path.rglob(f"*{MARKER}*"))
    assert not Path(MARKER).exists()
    assert working_gits() == []
    assert zombies() == []
    assert fetch(service.stub()).new_oid


def written_by_pushes(tmp_path: Path) -> set[str]:
    """Give the files of the remote: a push may well be what was asked for."""
    remotes = tmp_path / "remotes"
    return {str(path) for path in remotes.rglob("*")}


TEXT = st.sampled_from(STRINGS) | st.text(max_size=60)
RAW = st.sampled_from(BYTES) | st.binary(max_size=60)
NUMBER = st.sampled_from([0, -1, 1, 2**31 - 1, -(2**31)]) | st.integers(-(2**31), 2**31 - 1)


def drawn_value(data: st.DataObject, known: dict[str, str], field: FieldDescriptor) -> Any:
    """Draw a value for a field: what makes sense, what is hostile, or anything."""
    if field.message_type:
        return drawn(data, known, GetMessageClass(field.message_type))
    if field.type == FieldDescriptor.TYPE_STRING:
        return data.draw(st.just(known.get(field.name, "x")) | TEXT)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return data.draw(RAW)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return data.draw(st.booleans())
    if field.type == FieldDescriptor.TYPE_ENUM:
        return data.draw(st.integers(0, 5))
    number = data.draw(NUMBER)
    return abs(number) if field.type in (FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_UINT64) else number


def drawn(data: st.DataObject, known: dict[str, str], kind: type[Message]) -> Any:
    """Draw a message with any of its fields."""
    message: Any = kind()
    for field in message.DESCRIPTOR.fields:
        if data.draw(st.integers(0, 3)) == 0:
            continue
        if field.is_repeated:
            values = [drawn_value(data, known, field) for _ in range(data.draw(st.integers(1, 3)))]
            getattr(message, field.name).extend(values)
        elif field.message_type:
            getattr(message, field.name).CopyFrom(drawn_value(data, known, field))
        else:
            setattr(message, field.name, drawn_value(data, known, field))
    return message


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_fuzzer_finds_no_way_in(service: Service, known: dict[str, str], tmp_path: Path, data: st.DataObject) -> None:
    """Messages of hostile and random values in any combination, streams of any order, to every method."""
    method = data.draw(st.sampled_from(METHODS), label="method")

    kind = GetMessageClass(method.input_type)
    before = files_outside(tmp_path, service.data / "git" / TENANT)
    call = getattr(service.stub(), method.name)
    if method.client_streaming:
        sent: object = iter([drawn(data, known, kind) for _ in range(data.draw(st.integers(0, 4)))])
    else:
        sent = drawn(data, known, kind)
    outcome(lambda: call(sent, metadata=META, timeout=SECONDS))
    assert files_outside(tmp_path, service.data / "git" / TENANT) - before <= written_by_pushes(tmp_path)
    assert not list(tmp_path.rglob(f"*{MARKER}*"))
    assert working_gits() == []


def test_bytes_that_are_no_message_do_no_harm(service: Service, remote: Path) -> None:
    """What is no protobuf at all is turned away, and the next call is answered."""
    with grpc.insecure_channel(service.running.address) as channel:
        for method in METHODS:
            name = f"/lockstep.git.v1.GitService/{method.name}"
            for junk in (b"\xff" * 100, b"\x0a\xff\xff\xff\xff\x0f", b"\0" * 1000):
                with pytest.raises(grpc.RpcError):
                    channel.unary_unary(name, request_serializer=bytes)(junk, timeout=SECONDS)
    assert fetch(service.stub()).new_oid


def test_more_than_a_command_line_holds_is_refused(service: Service, known: dict[str, str]) -> None:
    """Thousands of patterns, folders or blobs in one message are a mistake that is told, not a crash."""
    stub, head = service.stub(), known["oid"]
    patterns = git_pb2.ListRemoteRefsRequest(workspace_id=WORKSPACE, patterns=["refs/heads/" + "x" * 200] * 20_000)
    folders = git_pb2.ListChangedPathsRequest(workspace_id=WORKSPACE, new_oid=head, folders=[b"x" * 4000] * 2000)
    blobs = git_pb2.ReadBlobsRequest(workspace_id=WORKSPACE, oids=[known["oids"]] * 20_000)
    assert outcome(lambda: stub.ListRemoteRefs(patterns, metadata=META)) == "InvalidInputError"
    assert outcome(lambda: stub.ListChangedPaths(folders, metadata=META)) == "InvalidInputError"
    assert outcome(lambda: stub.ReadBlobs(blobs, metadata=META)) == "InvalidInputError"


def test_names_that_are_in_each_other_s_way_are_told(service: Service, known: dict[str, str]) -> None:
    """A kept name below another one, and the other way round, cannot be: git stores refs as files."""
    stub, head = service.stub(), known["oid"]
    commit(stub, head, {b"x": b"1"}, keep_as="publications/p1")
    for name in ("publications", "publications/p1/x"):
        with pytest.raises(errors.StateError) as refused:
            commit(stub, head, {b"x": b"2"}, keep_as=name)
        assert refused.value.reason == "REF_IN_THE_WAY"


def test_an_error_of_any_length_arrives(service: Service, remote: Path) -> None:
    """Long names in an error's words do not burst what gRPC takes in an answer's trailers."""
    service.workspaces.put(f"file:///{'ü' * 1000}/{'x' * 900}")
    with pytest.raises(errors.NotFoundError) as failed:
        fetch(service.stub())
    assert failed.value.reason == "NO_REPOSITORY"
    service.workspaces.put(f"file://{remote}")
    stub = service.stub()
    head = fetch(stub).new_oid
    long = "/".join(["ö" * 120] * 15)
    sides = []
    for side in (b"1", b"2"):
        edits: dict[bytes, bytes | None] = {f"{long}/{n}".encode(): side for n in range(15)}
        sides.append(commit(stub, head, edits, keep_as=f"s{side.decode()}").commit_oid)
    request = git_pb2.CreateMergeCommitRequest(
        workspace_id=WORKSPACE, ours_oid=sides[0], theirs_oid=sides[1], message="m", author=ADA, time=1
    )
    with pytest.raises(errors.StateError) as refused:
        stub.CreateMergeCommit(request, metadata=META)
    assert refused.value.reason == "MERGE_CONFLICT"


def test_every_method_is_attacked() -> None:
    """A new method is in the lists above without anybody's doing."""
    served = {name for name in vars(git_pb2_grpc.GitServiceServicer) if name[0].isupper()}
    assert {method.name for method in METHODS} == served
