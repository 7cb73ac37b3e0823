"""What a person sees while git works: its own progress, phase by phase, from clone, fetch and push."""

import os
from collections.abc import Iterable
from pathlib import Path

from protos.git.v1 import git_pb2
from tests.integration.git.conftest import META, WORKSPACE, Service, commit_file, fetch
from tests.integration.git.test_housekeeping import PERSON
from tests.standins.git_http import GitHost


def phases(events: Iterable[git_pb2.FetchResponse] | Iterable[git_pb2.PushResponse]) -> dict[str, tuple[int, int]]:
    """Give how far each phase came: the last done and total of each; the result must come last."""
    *steps, last = events
    assert last.WhichOneof("event") == "result"
    seen: dict[str, tuple[int, int]] = {}
    for step in steps:
        assert step.WhichOneof("event") == "progress"
        progress = step.progress
        assert progress.message
        assert not progress.total or progress.done <= progress.total
        assert progress.done >= seen.get(progress.phase, (0, 0))[0]
        seen[progress.phase] = (progress.done, progress.total)
    return seen


def test_clone_fetch_and_push_tell_how_far_they_are(service: Service, bare: Path, host: GitHost) -> None:
    """Each tells git's own phases with counts that grow up to their total, over smart HTTP."""
    service.workspaces.put(f"{host.url}/records.git", token=host.token)
    stub = service.stub()
    request = git_pb2.FetchRequest(workspace_id=WORKSPACE)
    cloned = phases(stub.Fetch(request, metadata=META))
    assert cloned["receiving objects"][0] == cloned["receiving objects"][1] > 0
    commit_file(bare, "records/new.json", "{}")
    fetched = phases(stub.Fetch(request, metadata=META))
    # A small pack is unpacked, a larger one received.
    assert {"unpacking objects", "receiving objects"} & fetched.keys()
    assert not phases(stub.Fetch(request, metadata=META))
    base = fetch(stub).new_oid
    header = git_pb2.CommitHeader(workspace_id=WORKSPACE, base_oid=base, message="x", author=PERSON, committer=PERSON)
    edits = [git_pb2.TreeEdit(path=b"records/p%d.json" % n, content=os.urandom(50_000)) for n in range(8)]
    parts = [
        git_pb2.CreateCommitRequest(header=header),
        git_pb2.CreateCommitRequest(edits=git_pb2.CommitEdits(edits=edits)),
    ]
    oid = stub.CreateCommit(iter(parts), metadata=META).commit_oid
    push = git_pb2.PushRequest(workspace_id=WORKSPACE, branch="lockstep/x", new_oid=oid, remote=git_pb2.REMOTE_PUSH)
    pushed = phases(stub.Push(push, metadata=META))
    assert pushed["writing objects"] == (11, 11)
