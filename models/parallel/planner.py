"""Plans of several strategies, before any is launched: `python -m models.parallel.planner REQUEST.json`."""

import time

import torch

from conf.errors import FranklinError
from conf.exchange import PlanRequest, PlanResult, serve
from conf.manifest import read_manifest
from models.parallel import load
from models.parallel.plan import Sketch

SIDE = 1024  # of the square matrices whose product is timed
REPEATS = 5


def plan(request: PlanRequest) -> PlanResult:
    """Plan every strategy that the request names and that suits the network."""
    manifest = read_manifest(request.feature_set)
    sketch = Sketch(request.model, manifest, request.trainer, request.checkpointing, request.batch_size)
    plans, unsuited = [], []
    for ranks in request.candidates:
        try:
            plans.append(load(ranks.strategy, ranks.world_size).plan(sketch))
        except FranklinError as error:
            unsuited.append(f"{ranks.strategy.name}: {error}")
    return PlanResult(plans=plans, unsuited=unsuited, flop_per_second=flop_per_second())


def flop_per_second() -> float:
    """Floating-point operations that a device does in a second: the best of a few products of matrices."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    one, seconds = torch.randn(SIDE, SIDE, device=device), float("inf")
    for _ in range(REPEATS):
        began = time.perf_counter()
        float((one @ one)[0, 0])  # waits for it
        seconds = min(seconds, time.perf_counter() - began)
    return 2 * SIDE**3 / seconds


if __name__ == "__main__":
    serve(PlanRequest, plan)
