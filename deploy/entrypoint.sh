#!/bin/sh
# Runs one process of Lockstep: `git`, `auth first-admin NAME EMAIL`, `gateway`; `lockstep …` is the command line.
set -eu
role="${1:-}"
case "$role" in
  auth | git | sync | pr)
    shift
    exec python3 -m "services.$role" "$@"
    ;;
  gateway)
    shift
    exec python3 -m gateway "$@"
    ;;
  lockstep)
    exec "$@"
    ;;
  *)
    echo "lockstep: say what to run: auth, git, sync, pr, gateway, or lockstep with a command" >&2
    exit 2
    ;;
esac
