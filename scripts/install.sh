#!/usr/bin/env bash
# Makes .venv with everything that uv.lock names, `lockstep` included. Brings its own uv when there is none.
set -euo pipefail
cd "$(dirname "$0")/.."

UV_VERSION=0.13.9

uv=uv
if ! uv --version >/dev/null 2>&1; then
  uv=.venv-tools/bin/uv
  if ! "$uv" --version >/dev/null 2>&1; then
    scripts/system-packages.sh python-venv
    rm -rf .venv-tools
    python3 -m venv .venv-tools
    .venv-tools/bin/python -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION"
  fi
fi
# A slow mirror is no reason to fail.
export UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-180}"
"$uv" sync --frozen --quiet
