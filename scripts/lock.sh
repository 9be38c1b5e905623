#!/bin/sh
# Resolves pyproject.toml anew into requirements.lock. torch and what only its GPU build needs are left out: setup.sh installs torch.
set -eu
cd "$(dirname "$0")/.."
uv=$(mktemp -d)
trap 'rm -rf "$uv"' EXIT
python3 -m venv "$uv"
"$uv/bin/pip" install --quiet uv==0.13.9
"$uv/bin/uv" pip compile pyproject.toml --extra dev --universal --python-version 3.11 --quiet \
  --no-emit-package torch --no-header --no-annotate --output-file "$uv/lock" "$@"
{
  echo "# Exact versions, made by 'make lock' from pyproject.toml. torch is pinned in scripts/setup.sh."
  grep -vE '^(#|cuda-|nvidia-|triton==)' "$uv/lock"
} > requirements.lock
