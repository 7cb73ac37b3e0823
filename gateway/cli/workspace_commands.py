"""workspace add, list, show, set, remove, and git-config."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from gateway.cli import connect, options, output, polling
from gateway.cli.client import Client, segment
from gateway.cli.collection_file import read_collections
from services.core.errors import InvalidInputError, LockstepError

Repository = Annotated[str | None, typer.Option("--repo", metavar="URL", help="Where Lockstep pushes to.")]
Branch = Annotated[str | None, typer.Option("--branch", help="Target branch.")]
Upstream = Annotated[str | None, typer.Option("--upstream", metavar="URL", help="What the repository is a fork of.")]
Forge = Annotated[Literal["github", "gitlab", "plain"] | None, typer.Option("--forge", help="Kind of host.")]
Collections = Annotated[
    list[str] | None,
    typer.Option("--collection", metavar="NAME=PATH", help="A folder of records; may be repeated."),
]
Brake = Annotated[
    str | None,
    typer.Option(
        "--brake",
        metavar="RECORDS,PERCENT",
        help="How much an import may delete unconfirmed; for the collections named here. 100,20 when left out.",
    ),
]
Config = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="YAML file with collections.")]
TokenStdin = Annotated[bool, typer.Option("--token-stdin", help="Read the token for remote and forge from stdin.")]
SshKeyStdin = Annotated[bool, typer.Option("--ssh-key-stdin", help="Read the private key for ssh remotes from stdin.")]
KnownHosts = Annotated[
    Path | None,
    typer.Option(
        "--known-hosts", metavar="FILE", help="Host keys that ssh remotes are held to, as ssh-keyscan prints."
    ),
]
SigningKeyStdin = Annotated[
    bool, typer.Option("--signing-key-stdin", help="Read the SSH key that commits are signed with from stdin.")
]
Forget = Annotated[Literal["ssh", "signing"] | None, typer.Option("--forget-key", help="Delete a stored SSH key.")]
Partial = Annotated[
    bool | None,
    typer.Option(
        "--partial-clone/--no-partial-clone",
        help="Fetch the contents of files when they are first read: for repositories whose records are a small part.",
    ),
]
Poll = Annotated[
    int | None,
    typer.Option(
        "--poll",
        metavar="SECONDS",
        help="How often `lockstep up` looks at the remote; 0 is never, -1 as the installation has it.",
    ),
]
Name = Annotated[str, typer.Argument(metavar="NAME")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    workspaces = typer.Typer(help="Repositories and branches to keep in step with.", no_args_is_help=True)
    workspaces.command("add")(workspace_add)
    workspaces.command("list")(workspace_list)
    workspaces.command("show")(workspace_show)
    workspaces.command("set")(workspace_set)
    workspaces.command("remove")(workspace_remove)
    app.add_typer(workspaces, name="workspace")
    app.command("git-config")(git_config)


def workspace_add(
    ctx: typer.Context,
    name: Name,
    repo: Annotated[str, typer.Option("--repo", metavar="URL", help="Where Lockstep pushes to.")],
    branch: Branch = None,
    upstream: Upstream = None,
    forge: Forge = None,
    collection: Collections = None,
    config: Config = None,
    token_stdin: TokenStdin = False,
    partial_clone: Partial = None,
    poll: Poll = None,
    brake: Brake = None,
    as_json: options.Json = False,
) -> None:
    """Add a workspace. Without --collection or --config all of the repository is one collection."""
    collections = _collections(collection, config) or [{"name": connect.DEFAULT_COLLECTION, "path": ""}]
    _set_brake(collections, brake)
    body = {
        "name": name,
        "repo": address(repo),
        "branch": branch or "",
        "upstream": address(upstream or ""),
        "forge": forge,
        "token": _token() if token_stdin else "",
        "partial_clone": bool(partial_clone),
        "poll_seconds": poll,
        "collections": collections,
    }
    with connect.server(ctx) as client:
        made = client.post("/workspaces", body)
        shown = _with_collections(client, made)
        _note_unreachable(client, made["id"])
    if as_json:
        output.json(shown)
        return
    names = ", ".join(item["name"] for item in shown["collections"])
    output.line(f"{name} added: {shown['repo']} ({shown['branch']}, {shown['forge']}), collections: {names}")
    output.line(f"Bring its records in with: lockstep git-pull {name}")


def _note_unreachable(client: Client, workspace: str) -> None:
    """Say at once what the first import would say: the workspace is kept, its address can be mended."""
    try:
        client.get(f"/workspaces/{segment(workspace)}/remote")
    except LockstepError as error:
        output.note(f"note: {error}")


def workspace_list(ctx: typer.Context, as_json: options.Json = False) -> None:
    """List workspaces by name."""
    with connect.server(ctx) as client:
        found = client.get("/workspaces")
    if as_json:
        output.json({"workspaces": found})
        return
    rows = [(w["name"], w["repo"], w["branch"], w["forge"], w["upstream"]) for w in found]
    output.table(("name", "repository", "branch", "forge", "upstream"), rows, "There is no workspace yet.")


def workspace_show(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]")] = None,
    as_json: options.Json = False,
) -> None:
    """Show a workspace, its collections, and how its remote is looked at."""
    with connect.server(ctx) as client:
        shown = _with_collections(client, connect.workspace(client, name))
        shown["polling"] = client.get(f"/workspaces/{shown['id']}/polling")
    if as_json:
        output.json(shown)
        return
    output.fields(
        {
            "name": shown["name"],
            "repository": shown["repo"],
            "branch": shown["branch"],
            "upstream": shown["upstream"] or "(none)",
            "forge": shown["forge"],
            "token": "stored" if shown["has_credential"] else "none",
            "ssh key": shown["ssh_key"] or "none",
            "signing key": shown["signing_key"] or "none",
            "partial clone": "yes" if shown["partial_clone"] else "no",
            "polling": polling.described(shown["polling"]),
        },
    )
    for item in shown["collections"]:
        output.line(f"collection {item['name']}: {item['path'] or '(root)'} {' '.join(item['include'])}".rstrip())
        brake = item["brake"]
        output.line(f"  stops an import that deletes more than {brake['records']} records or {brake['percent']} %")


def workspace_set(
    ctx: typer.Context,
    name: Name,
    repo: Repository = None,
    branch: Branch = None,
    upstream: Upstream = None,
    forge: Forge = None,
    collection: Collections = None,
    config: Config = None,
    token_stdin: TokenStdin = False,
    forget_token: Annotated[bool, typer.Option("--forget-token", help="Delete the stored token.")] = False,
    ssh_key_stdin: SshKeyStdin = False,
    known_hosts: KnownHosts = None,
    signing_key_stdin: SigningKeyStdin = False,
    forget_key: Forget = None,
    partial_clone: Partial = None,
    poll: Poll = None,
    brake: Brake = None,
    as_json: options.Json = False,
) -> None:
    """Change a workspace: its address, its token, its SSH keys, or the settings of collections."""
    collections = _collections(collection, config)
    _set_brake(collections, brake)
    change = _change(repo, branch, upstream, forge, partial_clone=partial_clone, poll=poll)
    keys = _keys(known_hosts, ssh=ssh_key_stdin, signing=signing_key_stdin, token=token_stdin)
    if not (change or collections or token_stdin or forget_token or keys or forget_key):
        raise InvalidInputError("nothing is to be changed", remedy="see `lockstep workspace set --help`")
    token = _token() if token_stdin else ""
    with connect.server(ctx) as client:
        path = f"/workspaces/{connect.workspace(client, name)['id']}"
        if change:
            client.patch(path, change)
        if token:
            client.put(f"{path}/credential", {"token": token})
        elif forget_token:
            client.delete(f"{path}/credential")
        for kind, body in keys.items():
            client.put(f"{path}/keys/{kind}", body)
        if forget_key:
            client.delete(f"{path}/keys/{forget_key}")
        known = {item["name"] for item in client.get(f"{path}/collections")} if collections else set()
        for item in collections:
            if item["name"] in known:
                client.put(f"{path}/collections/{segment(item['name'])}", item)
            else:
                client.post(f"{path}/collections", item)
        shown = _with_collections(client, client.get(path))
    if as_json:
        output.json(shown)
    else:
        output.line(f"{name} changed")


def workspace_remove(
    ctx: typer.Context,
    name: Name,
    force: Annotated[bool, typer.Option("--force", help="Drop edits that are not published, too.")] = False,
    as_json: options.Json = False,
) -> None:
    """Remove a workspace with its records. The repository stays as it is."""
    with connect.server(ctx) as client:
        path = f"/workspaces/{connect.workspace(client, name)['id']}"
        client.delete(path, force=force or None)
    if as_json:
        output.json({"name": name, "removed": True})
    else:
        output.line(f"{name} removed")


def git_config(
    ctx: typer.Context,
    show: Annotated[bool, typer.Option("--show", help="Show the address; the default.")] = False,
    repo: Repository = None,
    branch: Branch = None,
    workspace: options.Workspace = None,
    as_json: options.Json = False,
) -> None:
    """Show or change the repository and branch of a workspace."""
    change = _change(repo, branch)
    if show and change:
        raise InvalidInputError("--show changes nothing", remedy="give either --show or --repo and --branch")
    with connect.server(ctx) as client:
        found = connect.workspace(client, workspace)
        if change:
            found = client.patch(f"/workspaces/{found['id']}", change)
    shown = {"workspace": found["name"], **{key: found[key] for key in ("repo", "branch", "upstream", "forge")}}
    if as_json:
        output.json(shown)
    else:
        output.fields(shown)


def address(repository: str) -> str:
    """Give the address of a repository; a folder that is here gets its whole path."""
    path = Path(repository).expanduser()
    return str(path.absolute()) if repository and "://" not in repository and path.exists() else repository


def _change(
    repo: str | None,
    branch: str | None,
    upstream: str | None = None,
    forge: str | None = None,
    *,
    partial_clone: bool | None = None,
    poll: int | None = None,
) -> dict[str, Any]:
    change = {
        "repo": None if repo is None else address(repo),
        "branch": branch,
        "upstream": None if upstream is None else address(upstream),
        "forge": forge,
        "partial_clone": partial_clone,
        "poll_seconds": poll,
    }
    return {key: value for key, value in change.items() if value is not None}


def _collections(named: list[str] | None, config: Path | None) -> list[dict[str, Any]]:
    found = read_collections(config) if config else []
    for text in named or ():
        name, equals, path = text.partition("=")
        if not equals or not name:
            raise InvalidInputError(f"--collection '{text}' is no NAME=PATH", remedy="write it like events=data/events")
        found.append({"name": name, "path": "" if path in (".", "/") else path.strip("/")})
    return found


def _set_brake(collections: list[dict[str, Any]], text: str | None) -> None:
    if text is None:
        return
    records, comma, percent = text.partition(",")
    if not (comma and records.isascii() and records.isdigit() and percent.isascii() and percent.isdigit()):
        raise InvalidInputError(f"--brake '{text}' is no RECORDS,PERCENT", remedy="write it like 500,50")
    if not collections:
        raise InvalidInputError("--brake is for collections", remedy="name them with --collection or --config")
    for item in collections:
        item["brake"] = {"records": int(records), "percent": int(percent)}


def _token() -> str:
    if sys.stdin.isatty():
        sys.stderr.write("Paste the token and press Return: ")
    token = sys.stdin.readline().strip()
    if not token:
        raise InvalidInputError("standard input held no token", remedy="pipe it in: `lockstep … --token-stdin < FILE`")
    return token


def _keys(known_hosts: Path | None, *, ssh: bool, signing: bool, token: bool) -> dict[str, dict[str, str]]:
    """Give the keys to store by kind; standard input holds one secret at a time."""
    if ssh + signing + token > 1:
        raise InvalidInputError("standard input holds one secret at a time", remedy="give one of the --…-stdin options")
    keys: dict[str, dict[str, str]] = {}
    if ssh or known_hosts:
        hosts = known_hosts.read_text(encoding="utf-8", errors="replace") if known_hosts else ""
        keys["ssh"] = {"private_key": _private_key() if ssh else "", "known_hosts": hosts}
    if signing:
        keys["signing"] = {"private_key": _private_key()}
    return keys


def _private_key() -> str:
    if sys.stdin.isatty():
        sys.stderr.write("Paste the private key and press Return and Ctrl-D: ")
    key = sys.stdin.read()
    if not key.strip():
        raise InvalidInputError("standard input held no key", remedy="pipe it in: `lockstep … < FILE`")
    return key


def _with_collections(client: Client, workspace: Any) -> Any:
    return {**workspace, "collections": client.get(f"/workspaces/{workspace['id']}/collections")}
