"""up, demo, doctor, config show, open, keys generate."""

import os
import secrets
import sys
from pathlib import Path
from typing import Annotated

import typer
from cryptography.fernet import Fernet

from gateway.cli import connect, options, output
from services.runtime import config, logs

Data = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Data folder.")]
Port = Annotated[int | None, typer.Option("--port", metavar="N", help="Port; 0 takes a free one.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("up")(up)
    app.command("demo")(demo)
    app.command("doctor")(doctor)
    app.command("open")(open_page)
    settings = typer.Typer(help="Settings and where each came from.", no_args_is_help=True)
    settings.command("show")(config_show)
    app.add_typer(settings, name="config")
    keys = typer.Typer(help="Keys of a server installation.", no_args_is_help=True)
    keys.callback()(_keys)
    keys.command("generate")(keys_generate)
    app.add_typer(keys, name="keys")


def up(ctx: typer.Context, data: Data = None, port: Port = None, as_json: options.Json = False) -> None:
    """Serve everything in one process until Ctrl-C: the gateway, its pages and the services."""
    from gateway import standalone

    del data  # Shown in the help of this command; it is read where it stands for all of them.
    settings = connect.settings_of(ctx, port=port)
    logs.configure(settings.log_level)

    def announce(running: standalone.Running) -> None:
        if as_json:
            found = {"url": running.url, "data": str(running.data), "first_token": running.first_token}
            output.json(found)
        else:
            output.line(f"Lockstep serves at {running.url} (data in {running.data}). Ctrl-C stops it.")
            if running.first_token:
                output.line(f"First administrator's token, shown once: {running.first_token}")
            output.line("Sign a browser in with: lockstep open")
        sys.stdout.flush()

    standalone.serve_until_signal(settings, announce)


def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the steps.")] = False,
    port: Port = None,
) -> None:
    """Show the main job on made-up records, then go on serving until Ctrl-C."""
    from gateway import demo as demonstration

    code = demonstration.run(once=once, port=port)
    if code:
        raise typer.Exit(code)


def doctor(ctx: typer.Context, as_json: options.Json = False) -> None:
    """Check all that Lockstep needs, and say which command mends what is not well."""
    from gateway import doctor as checks

    found = []
    local = not os.environ.get("LOCKSTEP_SERVER")
    if local:
        settings = connect.settings_of(ctx)
        found = checks.examine(settings, connect.running_address(settings.data))
    if not local or (checks.can_start(settings) and all(check.level != "fail" for check in found)):
        with connect.server(ctx) as client:
            found += checks.examine_workspaces(client)
    failed = any(check.level == "fail" for check in found)
    if as_json:
        output.json({"ok": not failed, "checks": [check.document() for check in found]})
    else:
        for check in found:
            mend = f"  → {check.mend}" if check.mend else ""
            output.line(f"{check.level:<4}  {check.name}: {check.text}{mend}")
    if failed:
        raise typer.Exit(1)


def config_show(ctx: typer.Context, as_json: options.Json = False) -> None:
    """Show every setting, its value and where it came from; secrets are redacted."""
    _, origins = config.load(flags={"data": connect.data_flag(ctx)})
    if as_json:
        output.json({"settings": [{"key": o.key, "value": o.value, "source": o.source} for o in origins]})
    else:
        output.table(("key", "value", "source"), [(o.key, o.value, o.source) for o in origins], "")


def open_page(ctx: typer.Context, as_json: options.Json = False) -> None:
    """Print an address that signs a browser in, once, within ten minutes."""
    with connect.server(ctx, started=True) as client:
        ticket = client.post("/login-tickets")
    if as_json:
        output.json(ticket)
    else:
        output.line(ticket["url"])


def _keys() -> None:
    """Keys of a server installation."""


def keys_generate(as_json: options.Json = False) -> None:
    """Make the keys of a server installation; store them as secrets, they are kept nowhere."""
    made = {
        "LOCKSTEP_SECRETS__MASTER_KEYS": Fernet.generate_key().decode(),
        "LOCKSTEP_SECRETS__INTERNAL_KEY": secrets.token_urlsafe(48),
    }
    if as_json:
        output.json(made)
    else:
        for name, value in made.items():
            output.line(f"{name}={value}")
