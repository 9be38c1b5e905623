#!/bin/sh
# Makes .venv from requirements.lock. usage: scripts/setup.sh [python]
set -eu
cd "$(dirname "$0")/.."
python=${1:-python3}
torch=2.13.0

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "franklin needs Python 3.11 or later; '$python' is $("$python" -V 2>&1). Say which: make demo PYTHON=python3.12" >&2
  exit 1
}
made_of() { cat requirements.lock pyproject.toml scripts/setup.sh; }
if [ -f .venv/.made-of ] && made_of | cmp -s - .venv/.made-of; then exit 0; fi

echo "Setting up .venv (some minutes, once) ..." >&2
"$python" -m venv .venv
pip() { .venv/bin/python -m pip --disable-pip-version-check --quiet "$@"; }

# The CPU build is the default on Linux without a GPU: the other one brings gigabytes of CUDA libraries.
# TORCH_BUILD=cpu|cuda says it by hand, such as where an image is made for another machine.
if nvidia-smi -L >/dev/null 2>&1; then found=cuda; else found=cpu; fi
if [ "$(uname -s)" = Linux ] && [ "${TORCH_BUILD:-$found}" = cpu ]; then
  pip install "torch==$torch+cpu" 2>/dev/null || {
    # pip's own sources have no CPU build: uv knows where PyTorch keeps them.
    pip install uv==0.13.9
    .venv/bin/uv pip install --quiet --python .venv/bin/python --torch-backend cpu "torch==$torch"
  }
else
  pip install "torch===$torch"
fi
pip install --no-deps --requirement requirements.lock
pip install --no-deps --no-build-isolation --editable .
pip check
made_of > .venv/.made-of
