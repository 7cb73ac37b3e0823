#!/usr/bin/env bash
# Proves that the generated Python is what the contracts give, and that no contract breaks its callers.
set -euo pipefail
cd "$(dirname "$0")/.."

fresh=build/protos-check/fresh before=build/protos-check/before
rm -rf build/protos-check
scripts/protos.sh "$fresh"
while IFS= read -r -d '' file; do
  if ! cmp -s "$fresh/$file" "$file"; then
    echo "$file is not what the contracts give: run 'make protos'" >&2
    exit 1
  fi
done < <(cd "$fresh" && find protos -type f -print0)
while IFS= read -r -d '' file; do
  if [ ! -e "$fresh/$file" ]; then
    echo "$file belongs to no contract any more: delete it" >&2
    exit 1
  fi
done < <(find protos -type f -name '*_pb2*.py*' -not -path '*/__pycache__/*' -print0)
echo "generated code: as the contracts give it"

# On main itself the last commit is compared with the one before it.
base=$(git rev-parse --verify --quiet main || git rev-parse --verify --quiet origin/main || true)
if [ -n "$base" ] && git diff --quiet "$base" -- protos; then
  base=$(git rev-parse --verify --quiet "$base~1" || true)
fi
if [ -z "$base" ] || [ -z "$(git ls-tree "$base" -- buf.yaml)" ]; then
  echo "breaking changes: no earlier contracts to compare with"
  exit 0
fi
mkdir -p "$before"
git archive "$base" -- buf.yaml protos | tar -x -C "$before"
if scripts/buf/node_modules/.bin/buf breaking --against "$before"; then
  echo "breaking changes: none against ${base:0:12}"
  exit 0
fi
# Before the first release a contract may break, where the commit that does it says why.
declared=$(git log --format='%(trailers:key=Breaks-Contract,valueonly)' "$base..HEAD" | sed '/^$/d')
if [ -z "$declared" ]; then
  echo "a contract breaks its callers: go about it another way, or say why in a trailer 'Breaks-Contract: …'" >&2
  exit 1
fi
echo "breaking changes against ${base:0:12}, as declared:"
echo "$declared"
