from tests.integration.gateway.conftest import Installation, Lockstep
from tests.remote import Remote

TEXT = 'id = "bad"\n\ntags = [\n\t"a", oops,\n]\n'


def test_a_file_in_quarantine_is_shown_with_its_text(lockstep: Lockstep, workspace: str, remote: Remote) -> None:
    """A person sees path, rule, remedy, and a mark below the place; it goes when the file is mended."""
    remote.commit({"data/bad.toml": TEXT, "data/dup.json": '{"id": "b"}'})
    lockstep("git-pull", workspace, code=3)
    shown = lockstep("quarantine", "show", "data/bad.toml", "-w", workspace).out
    assert shown.endswith('1 | id = "bad"\n2 | \n3 | tags = [\n4 | \t"a", oops,\n  | \t     ^\n5 | ]\n')
    assert "put it in quotes if it is text" in shown
    found = lockstep("quarantine", "show", "data/bad.toml", "-w", workspace, "--json").json
    assert (found["rule"], found["line"], found["column"], found["excerpt_line"]) == ("syntax", 4, 7, 1)
    assert found["excerpt"][3] == '\t"a", oops,'
    double = lockstep("quarantine", "show", "data/b.yaml", "-w", workspace, "-c", "data").out
    assert "other files  data/dup.json" in double
    remote.commit({"data/bad.toml": TEXT.replace("oops", '"b"'), "data/dup.json": None})
    lockstep("git-pull", workspace)
    assert lockstep("quarantine", "list", "-w", workspace).out == "No file is in quarantine.\n"
    gone = lockstep("quarantine", "show", "data/bad.toml", "-w", workspace, code=1)
    assert gone.err.startswith("lockstep: the file 'data/bad.toml' is not in quarantine")
    assert gone.err.count("\n") == 1


def test_the_list_is_filtered(lockstep: Lockstep, workspace: str, remote: Remote) -> None:
    """By rule and by collection; a collection that is not there is an error."""
    remote.commit({"data/bad.toml": TEXT, "data/dup.json": '{"id": "b"}'})
    lockstep("git-pull", workspace, code=3)

    def listed(*filters: str) -> list[str]:
        files = lockstep("quarantine", "list", "-w", workspace, "--json", *filters).json["files"]
        return [file["path"] for file in files]

    assert listed() == ["data/b.yaml", "data/bad.toml"]
    assert listed("--rule", "syntax") == ["data/bad.toml"]
    assert listed("--rule", "duplicate-id", "-c", "data") == ["data/b.yaml"]
    assert listed("--rule", "schema") == []
    assert "nowhere" in lockstep("quarantine", "list", "-w", workspace, "-c", "nowhere", code=1).err


def test_the_api_gives_the_same(lockstep: Lockstep, workspace: str, remote: Remote, installation: Installation) -> None:
    """One file by its path, the list by its filters; what is not there is a problem with its remedy."""
    remote.commit({"data/bad.toml": TEXT})
    lockstep("git-pull", workspace, code=3)
    with installation.http() as client:
        place = f"/api/v1/workspaces/{workspace}/quarantine"
        found = client.get(f"{place}/file", params={"path": "data/bad.toml"}).json()
        assert (found["line"], found["excerpt_column"], found["excerpt"][0]) == (4, 7, 'id = "bad"')
        assert client.get(place, params={"rule": "encoding"}).json()["total"] == 0
        missing = client.get(f"{place}/file", params={"path": "x"})
        assert missing.status_code == 404
        assert missing.headers["content-type"] == "application/problem+json"
        assert "lockstep quarantine list" in missing.text
        assert client.get(f"{place}/file").status_code == 400
