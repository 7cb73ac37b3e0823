"""Attacks by content: what a repository may hold to do harm to whoever reads it."""

import hashlib
import os
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from protos.git.v1 import git_pb2
from services.core import errors
from services.git import objects
from tests.integration.git.conftest import META, WORKSPACE, Service, commit_file, fetch
from tests.integration.git.hostile import outcome
from tests.integration.git.test_reading import changed, raw_commit, read
from tests.integration.git.test_writing import ADA, commit, push
from tests.standins.git_http import git


def store(bare: Path, kind: str, data: bytes) -> str:
    """Put an object into a repository as it is, past all of git's checks."""
    whole = f"{kind} {len(data)}\0".encode() + data
    oid = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
    place = bare / "objects" / oid[:2] / oid[2:]
    place.parent.mkdir(exist_ok=True)
    if not place.exists():
        place.write_bytes(zlib.compress(whole, 1))
    return oid


def tree_of(*entries: tuple[bytes, bytes, str]) -> bytes:
    """Give a tree as bytes, in any order and shape."""
    return b"".join(b"%s %s\0%s" % (mode, name, bytes.fromhex(oid)) for mode, name, oid in entries)


def point(bare: Path, tree: str, *, head: bytes = b"", message: bytes = b"m\n") -> str:
    """Have main be one commit of a tree; ``head`` replaces author and committer."""
    person = b"T <t@lockstep.invalid> 1700000000 +0000"
    lines = head or b"author %s\ncommitter %s\n" % (person, person)
    oid = store(bare, "commit", b"tree %s\n%s\n%s" % (tree.encode(), lines, message))
    (bare / "packed-refs").unlink(missing_ok=True)
    (bare / "refs/heads/main").write_text(oid + "\n", encoding="ascii")
    return oid


def file(stub: object, at: str, path: bytes) -> git_pb2.ReadFileResponse:
    """Read a file."""
    request = git_pb2.ReadFileRequest(workspace_id=WORKSPACE, commit_oid=at, path=path)
    answer: git_pb2.ReadFileResponse = stub.ReadFile(request, metadata=META, timeout=60)  # type: ignore[attr-defined]
    return answer


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """Give the file that an attack would leave."""
    return tmp_path / "ran"


def test_links_are_read_as_links_and_never_followed(service: Service, remote: Path) -> None:
    """A link to a file of the machine gives the link's own text; nothing is below it; nothing is written through it."""
    before = git(remote, "rev-parse", "main")
    raw_commit(remote, {b"passwd": b"/etc/passwd", b"out": b"../../.."}, mode="120000")
    stub = service.stub()
    head = fetch(stub).new_oid
    assert {(c.path, c.new_mode) for c in changed(stub, before, head)} == {(b"out", 0o120000), (b"passwd", 0o120000)}
    found = file(stub, head, b"passwd")
    assert (found.content, found.mode) == (b"/etc/passwd", 0o120000)
    with pytest.raises(errors.NotFoundError):
        file(stub, head, b"out/x")
    for path in (b"passwd", b"out/x"):
        with pytest.raises(errors.StateError) as refused:
            commit(stub, head, {path: b"1"})
        assert refused.value.reason == "NOT_A_FILE"


def test_submodules_are_named_and_never_entered(service: Service, remote: Path, marker: Path) -> None:
    """A gitlink is a change with its mode; it is not cloned, not read, and kept by a commit beside it."""
    before = git(remote, "rev-parse", "main")
    modules = b'[submodule "m"]\n\tpath = m\n\turl = https://m.lockstep.invalid/m\n\tupdate = !touch ' + bytes(marker)
    raw_commit(remote, {b"x": b"1"})
    tree = store(
        remote,
        "tree",
        tree_of((b"100644", b"config", store(remote, "blob", modules)), (b"160000", b"m", "1" * 40)),
    )
    point(remote, tree)
    stub = service.stub()
    head = fetch(stub).new_oid
    links = {c.path: c.new_mode for c in changed(stub, before, head) if c.new_mode}
    assert links[b"m"] == 0o160000
    with pytest.raises(errors.NotFoundError):
        file(stub, head, b"m")
    with pytest.raises(errors.StateError):
        commit(stub, head, {b"m/x": b"1"})
    made = commit(stub, head, {b"y": b"1"}).commit_oid
    assert "160000 commit" in git(service.mirror(), "ls-tree", made)
    assert push(stub, "main", made, head)
    assert not marker.exists()


def test_a_gitmodules_with_a_command_is_refused_by_name(service: Service, remote: Path, marker: Path) -> None:
    """What git itself calls an attack does not enter the mirror."""
    modules = b'[submodule "m"]\n\tpath = m\n\turl = --upload-pack=touch ' + bytes(marker) + b"\n"
    tree = tree_of((b"100644", b".gitmodules", store(remote, "blob", modules)), (b"160000", b"m", "1" * 40))
    point(remote, store(remote, "tree", tree))
    with pytest.raises(errors.StateError) as refused:
        fetch(service.stub())
    assert refused.value.reason == "BAD_OBJECTS"
    assert not marker.exists()


def test_attributes_filters_and_drivers_run_nothing(service: Service, remote: Path, marker: Path) -> None:
    """Attributes, LFS settings, hooks and templates of a repository change no byte and start nothing.

    Not in the remote's tree, and not as files that somebody slipped into the mirror's configuration either.
    """
    before = git(remote, "rev-parse", "main")
    run = b"touch " + bytes(marker)
    raw_commit(
        remote,
        {
            b".gitattributes": b"* filter=evil diff=evil merge=evil text eol=crlf ident working-tree-encoding=UTF-16\n",
            b".lfsconfig": b'[lfs]\n\turl = http://127.0.0.1:9/\n[lfs "customtransfer.x"]\n\tpath = ' + run + b"\n",
            b".gitconfig": b'[filter "evil"]\n\tsmudge = ' + run + b"\n\tclean = " + run + b"\n\tprocess = " + run,
            b".git-hooks/post-checkout": b"#!/bin/sh\n" + run,
            b"big.mcam": b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 9\n",
            b"records/r1.json": b"a\nb $Id$\n",
        },
    )
    stub = service.stub()
    head = fetch(stub).new_oid
    assert len(changed(stub, before, head, renames=True)) == 6
    assert file(stub, head, b"records/r1.json").content == b"a\nb $Id$\n"
    assert file(stub, head, b"big.mcam").content.startswith(b"version https://git-lfs")
    hook = b"#!/bin/sh\n" + run + b"\n"
    for name in ("pre-push", "reference-transaction", "post-update", "update", "pre-receive", "post-index-change"):
        place = service.mirror() / "hooks" / name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(hook)
        place.chmod(0o755)
    ours = commit(stub, head, {b"records/r1.json": b"a\nours\n"}, keep_as="ours").commit_oid
    theirs = commit(stub, head, {b"records/r2.json": b"x\r\n$Id$\n"}, keep_as="theirs").commit_oid
    request = git_pb2.CreateMergeCommitRequest(
        workspace_id=WORKSPACE, ours_oid=ours, theirs_oid=theirs, message="m", author=ADA, committer=ADA, time=1
    )
    merged = stub.CreateMergeCommit(request, metadata=META).commit_oid
    assert file(stub, merged, b"records/r2.json").content == b"x\r\n$Id$\n"
    assert push(stub, "main", merged, head)
    assert not marker.exists()


def test_a_template_folder_of_the_machine_is_not_used(
    service: Service, remote: Path, marker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIT_TEMPLATE_DIR and friends do not reach git: a new mirror has no hooks at all."""
    hook = tmp_path / "template" / "hooks" / "reference-transaction"
    hook.parent.mkdir(parents=True)
    hook.write_text(f"#!/bin/sh\ntouch {marker}\n", encoding="utf-8")
    hook.chmod(0o755)
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(tmp_path / "template"))
    monkeypatch.setenv("GIT_EXEC_PATH", str(tmp_path))
    assert fetch(service.stub()).cloned
    assert not (service.mirror() / "hooks").exists()
    assert not marker.exists()


def test_paths_that_differ_in_case_are_both_there(service: Service, remote: Path) -> None:
    """Neither is lost, in listing, reading and writing; likewise for the two Unicode forms of a letter."""
    before = git(remote, "rev-parse", "main")
    names = [b"Records/A.json", b"records/a.json", b"records/A.json", "é".encode(), "e\u0301".encode()]
    raw_commit(remote, {name: name for name in names})
    stub = service.stub()
    head = fetch(stub).new_oid
    assert [c.path for c in changed(stub, before, head)] == sorted(names)
    for name in names:
        assert file(stub, head, name).content == name
    made = commit(stub, head, {b"records/A.json": b"new", b"RECORDS/a.json": b"third"}).commit_oid
    assert file(stub, made, b"records/a.json").content == b"records/a.json"
    assert file(stub, made, b"records/A.json").content == b"new"
    assert file(stub, made, b"RECORDS/a.json").content == b"third"


def test_names_of_any_bytes_are_kept(service: Service, remote: Path) -> None:
    """Newlines, quotes, escapes, options and bytes that are no UTF-8 come through every way of reading."""
    before = git(remote, "rev-parse", "main")
    names = [b"-x", b"--help", b"a\nb", b'q"q', b"q'q", b"\xff\xfe", b"\x1b[31m", b"a\\b", b":(top)x", b"CON", b"x."]
    raw_commit(remote, {b"d/" + name: b"1" for name in names})
    stub = service.stub()
    head = fetch(stub).new_oid
    assert [c.path for c in changed(stub, before, head, b"d")] == sorted(b"d/" + name for name in names)
    for name in names:
        assert file(stub, head, b"d/" + name).content == b"1"
        request = git_pb2.ListCommitsRequest(workspace_id=WORKSPACE, to_oid=head, path=b"d/" + name)
        assert len(stub.ListCommits(request, metadata=META).commits) == 1


BAD_TREES: dict[str, Callable[[str], bytes]] = {
    "dot git": lambda blob: tree_of((b"100644", b".git", blob)),
    "dot git in other letters": lambda blob: tree_of((b"100644", b".GIT", blob)),
    "dot dot": lambda blob: tree_of((b"100644", b"..", blob)),
    "a slash": lambda blob: tree_of((b"100644", b"a/../../b", blob)),
    "an absolute name": lambda blob: tree_of((b"100644", b"/etc/passwd", blob)),
    "no name": lambda blob: tree_of((b"100644", b"", blob)),
    "twice the same": lambda blob: tree_of((b"100644", b"a", blob), (b"100644", b"a", blob)),
    "not in order": lambda blob: tree_of((b"100644", b"b", blob), (b"100644", b"a", blob)),
    "cut off": lambda blob: tree_of((b"100644", b"a", blob))[:-3],
    "no object": lambda _: tree_of((b"100644", b"a", "0" * 40)),
    "garbage": lambda _: b"\xff" * 50,
}
BAD_HEADS = {
    "no author": b"committer T <t@lockstep.invalid> 1700000000 +0000\n",
    "a broken author": b"author T\ncommitter T <t@lockstep.invalid> 1700000000 +0000\n",
    "a time beyond all times": b"author T <t@x> %s +0000\ncommitter T <t@x> 1 +0000\n" % (b"9" * 5000),
    "nothing": b"x\n",
}


@pytest.mark.parametrize("what", [*BAD_TREES, *BAD_HEADS])
def test_malformed_objects_are_refused_by_name(service: Service, remote: Path, what: str) -> None:
    """They are told as what they are, leave nothing behind, and the workspace goes on once they are gone."""
    good = git(remote, "rev-parse", "main")
    blob = store(remote, "blob", b"1")
    tree = store(remote, "tree", BAD_TREES[what](blob) if what in BAD_TREES else tree_of((b"100644", b"a", blob)))
    point(remote, tree, head=BAD_HEADS.get(what, b""))
    stub = service.stub()
    for _ in range(2):
        with pytest.raises((errors.StateError, errors.UnavailableError)) as refused:
            fetch(stub)
        assert refused.value.reason in ("BAD_OBJECTS", "REMOTE_BROKEN", "NO_NETWORK")
        assert refused.value.remedy
    assert not service.mirror().exists()
    (remote / "refs/heads/main").write_text(good + "\n", encoding="ascii")
    assert fetch(stub).new_oid == good


def test_a_new_bad_commit_does_not_harm_the_mirror(service: Service, remote: Path) -> None:
    """What was there before can be read while the remote offers malformed objects."""
    stub = service.stub()
    good = fetch(stub).new_oid
    point(remote, store(remote, "tree", BAD_TREES["dot git"](store(remote, "blob", b"1"))))
    with pytest.raises(errors.StateError):
        fetch(stub)
    assert file(stub, good, b"README.md").content == b"version 2\n"
    assert git(service.mirror(), "rev-parse", "refs/remotes/target/main") == good


ENCODINGS = [
    "idna",
    "punycode",
    "unicode_escape",
    "raw_unicode_escape",
    "utf-7",
    "utf-16",
    "hex",
    "rot13",
    "undefined",
    "utf-8-sig",
    "mbcs",
    "latin-1",
    "ISO-8859-15",
    "cp1252",
    "nothing",
    "../x",
    "\xff",
]


@pytest.mark.parametrize(
    "encoding",
    ENCODINGS,
)
def test_a_commit_may_name_any_encoding(service: Service, remote: Path, encoding: str) -> None:
    """Messages in whatever encoding are text in the end, and never a program."""
    person = rb"J\ud800\xc3\xb6rg +AGE- <t@lockstep.invalid> 1700000000 +0000"
    lines = b"author %s\ncommitter %s\nencoding %s\n" % (person, person, encoding.encode("latin-1"))
    tree = git(remote, "rev-parse", "main^{tree}")
    head = point(remote, tree, head=lines, message=b"\\ud800 \xff\xfe\xe9 \\x00 +2AA-\n")
    stub = service.stub()
    fetch(stub)
    request = git_pb2.ListCommitsRequest(workspace_id=WORKSPACE, to_oid=head)
    (found,) = stub.ListCommits(request, metadata=META).commits
    assert found.message.startswith("\\ud800")
    assert found.author.email == "t@lockstep.invalid"


def test_huge_messages_do_not_burst_an_answer(service: Service, remote: Path) -> None:
    """Commits with megabytes of message come page by page, cut where nobody reads on, and none is left out."""
    huge = b"x" * 3_000_000
    stream = b"".join(
        b"commit refs/heads/main\ncommitter T <t@lockstep.invalid> 1700000000 +0000\ndata %d\n%s\n%s"
        % (len(huge), huge, b"from refs/heads/main^0\n" if number == 0 else b"")
        for number in range(12)
    )
    git(remote, "fast-import", "--quiet", stdin=stream)
    stub = service.stub()
    head = fetch(stub).new_oid
    seen: list[str] = []
    token = ""
    while True:
        request = git_pb2.ListCommitsRequest(workspace_id=WORKSPACE, to_oid=head, page_size=1000, page_token=token)
        answer = stub.ListCommits(request, metadata=META)
        seen += [found.oid for found in answer.commits]
        token = answer.next_page_token
        if not token:
            break
    assert seen == git(remote, "rev-list", "main").split()


def test_a_huge_blob_is_announced_and_not_loaded(service: Service, remote: Path) -> None:
    """A file of 100 MiB: streams say its size, reading it as a file is refused, memory does not grow by it."""
    size = 100 * 1024 * 1024
    source = remote.parent / "huge"
    with source.open("wb") as stream:
        stream.truncate(size)
    blob = git(remote, "hash-object", "-w", str(source))
    tree = tree_of((b"100644", b"huge", blob), (b"100644", b"small", store(remote, "blob", b"1")))
    head = point(remote, store(remote, "tree", tree))
    stub = service.stub()
    fetch(stub)
    before = memory()
    assert read(stub, [blob, git(remote, "rev-parse", f"{head}:small")]) == [(size, b""), (1, b"1")]
    with pytest.raises(errors.InvalidInputError) as refused:
        file(stub, head, b"huge")
    assert refused.value.reason == "TOO_LARGE"
    assert memory() - before < 50 * 1024 * 1024


def memory() -> int:
    """Give the resident memory of this process, in bytes."""
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123  one line of one number after another
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("depth", [500, 2500, pytest.param(20_000, marks=pytest.mark.slow)])
def test_deep_trees_are_read_or_refused(service: Service, remote: Path, depth: int) -> None:
    """Thousands of folders in one another: an answer or a typed error, in time, and no harm to what else there is."""
    good = git(remote, "rev-parse", "main")
    oid = store(remote, "blob", b"1")
    oid = store(remote, "tree", tree_of((b"100644", b"f", oid)))
    for _ in range(depth):
        oid = store(remote, "tree", tree_of((b"40000", b"d", oid)))
    deep = point(remote, oid)
    stub = service.stub()
    if not outcome(lambda: stub.Fetch(git_pb2.FetchRequest(workspace_id=WORKSPACE), metadata=META, timeout=60)):
        changes = git_pb2.ListChangedPathsRequest(workspace_id=WORKSPACE, new_oid=deep)
        outcome(lambda: stub.ListChangedPaths(changes, metadata=META, timeout=60))
        outcome(lambda: file(stub, deep, b"/".join([b"d"] * 2000)))
        outcome(lambda: file(stub, deep, b"/".join([b"d"] * 3000)))
        outcome(lambda: commit(stub, deep, {b"d/d/d/new": b"1"}))
    (remote / "refs/heads/main").write_text(good + "\n", encoding="ascii")
    assert fetch(stub).new_oid == good
    assert file(stub, good, b"README.md").content == b"version 2\n"


def test_a_tree_bomb_ends_with_the_call(service: Service, remote: Path) -> None:
    """Ten folders of ten folders, ten deep, are ten thousand million files: the listing ends when its time does."""
    oid = store(remote, "blob", b"1")
    for _ in range(10):
        mode = b"40000" if _ else b"100644"
        oid = store(remote, "tree", tree_of(*((mode, b"%d" % n, oid) for n in range(10))))
    head = point(remote, oid)
    stub = service.stub()
    fetch(stub)
    request = git_pb2.ListChangedPathsRequest(workspace_id=WORKSPACE, new_oid=head)
    with pytest.raises(errors.TimeoutExceededError):
        for _ in stub.ListChangedPaths(request, metadata=META, timeout=2):
            pass
    made = commit(stub, head, {b"0/0/0/0/0/0/0/0/0/0": b"2"}).commit_oid
    assert file(stub, made, b"0/0/0/0/0/0/0/0/0/0").content == b"2"


def test_nothing_is_checked_out_anywhere(service: Service, remote: Path) -> None:
    """There is no work tree: no file of the repository's is on the disk under its own name."""
    raw_commit(remote, {b"canary-file.json": b"1"})
    stub = service.stub()
    head = fetch(stub).new_oid
    commit(stub, head, {b"canary-file-2.json": b"1"})
    found = subprocess.run(["find", service.data, "-name", "*canary-file*"], capture_output=True, check=True).stdout
    assert found == b""


def test_a_folder_that_does_not_fit_into_memory_is_named(
    service: Service, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tree object beyond the bound is not read whole by anything that reads trees; the rest of the repository is."""
    work = remote.parent / "records-work"
    (work / "wide").mkdir()
    for number in range(60):
        (work / "wide" / f"f{number:04d}").touch()
    head = commit_file(remote, "wide/f0000", "x")
    stub = service.stub()
    fetch(stub)
    monkeypatch.setattr(objects, "MOST_BYTES", 1000)
    for reading in (
        lambda: file(stub, head, b"wide/f0000"),
        lambda: commit(stub, head, {b"wide/f0001": b"y"}),
    ):
        with pytest.raises(errors.StateError) as refused:
            reading()
        assert refused.value.reason == "BAD_OBJECTS"
        assert "bytes" in str(refused.value)
    assert file(stub, head, b"records/r1.json").content
    assert commit(stub, head, {b"records/r1.json": b"y"}).commit_oid
