#!/usr/bin/env bash
# Writes the Python for the contracts in protos/.
#
#   scripts/protos.sh [FOLDER]     FOLDER takes protos/…; the repository itself when not given
set -euo pipefail
cd "$(dirname "$0")/.."

out=${1:-.}
mkdir -p "$out"
# The mypy plugins are found by name in PATH.
export PATH="$PWD/.venv/bin:$PATH"

messages=() services=()
for file in protos/*/v1/*.proto; do
  # The grpc plugin writes an empty module for a file without services.
  if grep -q '^service ' "$file"; then services+=("$file"); else messages+=("$file"); fi
done
common=(-I. "--python_out=$out" "--mypy_out=quiet:$out")
python -m grpc_tools.protoc "${common[@]}" "${messages[@]}"
python -m grpc_tools.protoc "${common[@]}" "--grpc_python_out=$out" "--mypy_grpc_out=quiet:$out" "${services[@]}"
