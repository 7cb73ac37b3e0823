"""Two tenants in one installation: whatever one asks for, by whatever way, it learns nothing of the other."""

import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from tests.e2e.conftest import FILES
from tests.e2e.server_mode import CONTRACTS, Bearer, Person, Server
from tests.remote import Remote

pytestmark = [pytest.mark.postgresql, pytest.mark.slow, pytest.mark.timeout(300)]

# Nothing of a tenant can be named in these.
NAMELESS = {"ExchangeSession", "IssueServiceIdentity", "ListVerificationKeys"}
REFUSALS = {
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
}


@pytest.fixture(scope="session")
def neighbour(operator: Person) -> Person:
    """Give the administrator of another tenant."""
    body = {"name": "b", "admin_username": "bee", "admin_name": "Bee", "admin_email": "bee@example.org"}
    with operator.http() as http:
        answer = http.post("/api/v1/tenants", json=body)
    assert answer.status_code == 201, answer.text
    return Person(operator.server, answer.json()["admin_token"])


@pytest.fixture
def theirs(operator: Person, workspace: str, remote: Remote) -> dict[str, str]:
    """Give the names and ids of things of the tenant "default", by the name of the field that they go into."""
    operator.do("create-pr", "-w", workspace)
    [published] = operator.do("publications", "list", "-w", workspace)["publications"]
    operator.do("records", "edit", "c", "--set", "size=50", "-w", workspace)
    remote.commit({"data/c.md": FILES["data/c.md"].replace("size: 5", "size: 55"), "data/bad.json": "{"})
    operator.run("git-pull", workspace)
    [conflict] = operator.do("conflicts", "list", "-w", workspace)["conflicts"]
    [run, *_] = operator.do("runs", "list", "-w", workspace)["runs"]
    found = operator.do("workspace", "show", workspace)
    return {
        "workspace": found["id"],
        "workspace_id": found["id"],
        "workspace name": workspace,
        "publication": published["id"],
        "publication_id": published["id"],
        "conflict": conflict["id"],
        "conflict_id": conflict["id"],
        "run": run["id"],
        "run_id": run["id"],
        "record": "a",
        "record_id": "a",
        "record_ids": "a",
        "collection": "things",
        "branch": published["branch"],
        "path": "data/a.json",
        "patterns": "refs/heads/*",
        "content": '{"id": "a", "title": "Taken"}',
        **dict.fromkeys(("ours_oid", "theirs_oid", "commit_oid", "new_oid", "oid", "to_oid"), remote.head()),
        "expected_old_oid": remote.head(published["branch"]),
    }


def test_no_route_of_the_gateway_shows_another_tenant_anything(
    operator: Person, neighbour: Person, theirs: dict[str, str]
) -> None:
    """Every GET below a workspace answers 404, by its name and by its id; lists do not mention it."""
    with operator.http() as mine, neighbour.http() as other:
        routes = [
            route for route, methods in other.get("/api/v1/openapi.json").json()["paths"].items() if "get" in methods
        ]
        below = [route for route in routes if "{workspace}" in route]
        assert len(below) > 10
        for route, name in itertools.product(below, (theirs["workspace"], theirs["workspace name"])):
            # Only a record whose edits met a change in Git has been merged.
            known = theirs | ({"record": "c"} if "record-merges" in route else {})
            path = route.replace("{workspace}", name)
            for part in re.findall(r"{(\w+)}", path):
                path = path.replace(f"{{{part}}}", known[part])
            # What the routes about files ask for; the others take no notice of it.
            file = "data/bad.json" if path.endswith("/quarantine/file") else theirs["path"]
            asked = {"path": file, "old": "main", "new": "main"}
            assert other.get(path, params=asked).status_code == 404, path
            if not path.endswith("/project"):  # plain Git has none
                assert mine.get(path, params=asked).status_code == 200, path
        assert other.get(f"/publications/{theirs['publication']}").status_code == 404
        for path in (*(route for route in routes if "{" not in route), "/"):
            shown = other.get(path)
            assert shown.status_code in (200, 403, 404), path
            # The only things that are called alike in all tenants are words of the API itself.
            assert not any(theirs[key] in shown.text for key in ("workspace", "publication", "branch")), path
        assert other.get("/api/v1/workspaces").json() == []


def methods() -> Iterator[tuple[str, MethodDescriptor]]:
    """Give every method of every contract that can be asked for something of a tenant."""
    for name, module in CONTRACTS.items():
        for service in module.DESCRIPTOR.services_by_name.values():
            yield from ((name, method) for method in service.methods if method.name not in NAMELESS)


@pytest.mark.parametrize("caller", ["administrator", "git", "sync", "pr"])
def test_no_method_of_a_service_gives_another_tenant_anything(
    server: Server, operator: Person, neighbour: Person, theirs: dict[str, str], remote: Remote, caller: str
) -> None:
    """Asked with another tenant's ids, every method refuses or knows nothing; nothing of theirs changes.

    That holds for a service, too, that works for the other tenant.
    """
    before = snapshot(operator, theirs, remote)
    bearer = server.bearer(neighbour.token)
    if caller != "administrator":
        with neighbour.http() as http:
            bearer = server.service_bearer(caller, http.get("/api/v1/me").json()["tenant_id"])
    answers: dict[str, str] = {}
    for name, method in methods():
        code, text = call(server, bearer, name, method, theirs)
        assert code in REFUSALS or code is grpc.StatusCode.OK, (method.full_name, code, text)
        for told in ("Ant", "Likes fish", remote.path.name, theirs["branch"], "Op Example"):
            # A refusal may repeat what it was asked for, and nothing else.
            assert told not in text or (code in REFUSALS and told in theirs.values()), (method.full_name, text)
        answers[method.name] = code.name
    for needs in ("GetWorkspace", "ResolveWorkspace", "ListRemoteRefs", "Push", "GetRecord", "GetPublication"):
        assert answers[needs] in ("NOT_FOUND", "PERMISSION_DENIED"), (needs, answers[needs])
    assert snapshot(operator, theirs, remote) == before


def snapshot(person: Person, theirs: dict[str, str], remote: Remote) -> dict[str, Any]:
    """Give what a tenant sees of a workspace, and what its remote holds."""
    place = f"/api/v1/workspaces/{theirs['workspace']}"
    with person.http() as http:
        status = http.get(f"{place}/status").json()
        rest = [http.get(f"{place}/{part}").json() for part in ("records", "publications", "conflicts", "collections")]
        workspace = http.get(place).json()
    refs = remote.git("for-each-ref", "--format=%(refname) %(objectname)")
    return {"workspace": workspace, "pending": status["pending"], "rest": rest, "refs": refs}


def call(
    server: Server, bearer: Bearer, name: str, method: MethodDescriptor, values: dict[str, str]
) -> tuple[grpc.StatusCode, str]:
    """Call any method with the values that its fields are named after; give how it ended and what it said."""
    request = filled(method.input_type, values)
    with server.channel(name) as channel:
        kind = f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
        make: Callable[..., Any] = getattr(channel, kind)
        run = make(
            f"/{method.containing_service.full_name}/{method.name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        sent = iter([request]) if method.client_streaming else request
        try:
            answer = run(sent, timeout=60, metadata=bearer)
            messages = list(answer) if method.server_streaming else [answer]
        except grpc.RpcError as error:
            return error.code(), error.details() or ""
    return grpc.StatusCode.OK, " ".join(map(str, messages))


def filled(descriptor: Any, values: dict[str, str]) -> Any:
    """Make a message whose fields have the values of their names, in messages inside it too."""
    message = GetMessageClass(descriptor)()
    for one in descriptor.fields:
        if one.containing_oneof is not None and message.WhichOneof(one.containing_oneof.name):
            continue
        if one.message_type is not None and not one.is_repeated:
            getattr(message, one.name).CopyFrom(filled(one.message_type, values))
        elif one.name in values and one.type in (one.TYPE_STRING, one.TYPE_BYTES):
            value = values[one.name] if one.type == one.TYPE_STRING else values[one.name].encode()
            if one.is_repeated:
                getattr(message, one.name).append(value)
            else:
                setattr(message, one.name, value)
        elif one.name == "force":
            setattr(message, one.name, True)
    return message
