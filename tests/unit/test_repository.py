"""What the repository promises about itself: targets, generated code, lock files, licences."""

import importlib.metadata
import json
import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
PROTOS = sorted((ROOT / "protos").glob("*/v1/*.proto"))


def test_make_help_lists_what_people_need() -> None:
    """`make help` names every target that the documentation tells people to call."""
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = re.findall(r"^  make (\S+)", shown, re.MULTILINE)
    assert {"install", "demo", "test", "test-all", "lint", "protos", "bench", "clean"} <= set(targets)


@pytest.mark.parametrize("proto", PROTOS, ids=lambda path: path.name)
def test_generated_code_lies_beside_its_contract(proto: Path) -> None:
    """Each contract has its messages and their types beside it, and stubs when it has a service."""
    endings = ["_pb2.py", "_pb2.pyi"]
    if re.search(r"^service ", proto.read_text(encoding="utf-8"), re.MULTILINE):
        endings += ["_pb2_grpc.py", "_pb2_grpc.pyi"]
    missing = [ending for ending in endings if not proto.with_name(proto.stem + ending).exists()]
    assert not missing


def test_every_folder_of_tests_is_a_package() -> None:
    """Without __init__.py, tests/git would be imported as `git` and hide GitPython."""
    folders = {path.parent for path in (ROOT / "tests").rglob("*.py") if "node_modules" not in path.parts}
    assert not [folder for folder in folders if not (folder / "__init__.py").exists()]


def test_the_lock_file_knows_every_dependency() -> None:
    """`uv sync --frozen` installs what pyproject.toml asks for, since uv.lock was made from it."""
    ours = next(package for package in LOCK["package"] if package["name"] == "lockstep")
    locked = {entry["name"] for entry in ours["dependencies"]}
    locked_dev = {entry["name"] for entry in ours["dev-dependencies"]["dev"]}
    assert {_name(line) for line in PROJECT["project"]["dependencies"]} == locked
    assert {_name(line) for line in PROJECT["dependency-groups"]["dev"]} == locked_dev


@pytest.mark.parametrize("folder", ["scripts/buf", "tests/standins/contract"])
def test_npm_lock_files_pin_content_and_name_no_registry(folder: str) -> None:
    """Node packages are fixed by their hash and come from whatever registry the user has."""
    lock = json.loads((ROOT / folder / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    assert not [name for name, entry in packages.items() if "integrity" not in entry or "resolved" in entry]


def test_scripts_can_be_run() -> None:
    """Each script is executable and parses."""
    scripts = [*(ROOT / "scripts").glob("*.sh"), ROOT / ".ci" / "run"]
    assert not [script for script in scripts if not os.access(script, os.X_OK)]
    for script in scripts:
        subprocess.run(["bash", "-n", script], check=True)


def test_notice_names_every_copyleft_library_in_use() -> None:
    """Who gets Lockstep is told which parts are under the LGPL or MPL (a duty of those licences)."""
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    named = {_name(line) for line in re.findall(r"^- (\S+):", notice, re.MULTILINE)}
    assert {name for name in _shipped() if re.search("GPL|MPL", _licence(name))} <= named


def _name(requirement: str) -> str:
    """Give the name in ``psycopg[binary]>=3``, spelled as package indexes do."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def _shipped() -> set[str]:
    """Give the names of all packages that come with Lockstep, by uv.lock."""
    packages = {package["name"]: package for package in LOCK["package"]}
    seen, waiting = set[str](), [{"name": "lockstep"}]
    while waiting:
        wanted: dict[str, Any] = waiting.pop()
        package = packages[wanted["name"]]
        if package["name"] not in seen or "extra" in wanted:
            seen.add(package["name"])
            waiting += package.get("dependencies", [])
            for extra in wanted.get("extra", []):
                waiting += package["optional-dependencies"][extra]
    return seen - {"lockstep"}


def _licence(name: str) -> str:
    try:
        metadata = importlib.metadata.metadata(name).json
    except importlib.metadata.PackageNotFoundError:
        return ""  # for another platform
    return f"{metadata.get('license_expression')} {metadata.get('classifier')}"
