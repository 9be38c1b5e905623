"""Everything that learns: feeds, networks, strategies, training, evaluation, search."""

import os

# OpenMP reads it when torch is loaded, which is after this. Left to itself, a thread that waits for the others spins
# for long, on the very core that they need where the machine is shared (`benchmarks/threads.py`).
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
