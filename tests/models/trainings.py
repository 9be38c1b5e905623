"""Several trainings in one launched group, one after the other: a group takes seconds to start.

torchrun -m tests.models.trainings PORT:REQUEST.json ...
"""

import os
import sys
from collections.abc import Mapping
from functools import partial
from itertools import groupby
from typing import TypeVar

from conf.exchange import TrainRequest, TrainResult, serve
from models.stopping import Stop
from models.train import leave, train
from tests.flows.fixtures import free_port
from tests.models import launch

K = TypeVar("K")


def run(wanted: Mapping[K, TrainRequest]) -> dict[K, TrainResult]:
    """Run trainings to their ends, those of as many ranks in one group."""
    for ranks, requests in groupby(sorted(wanted.values(), key=_ranks), key=_ranks):
        files = []
        for request in requests:
            path = request.run_folder / "request.json"
            path.write_text(request.model_dump_json(), encoding="utf-8")
            files.append(f"{free_port()}:{path}")
        launch.together(__name__, ranks, *files)
    return {key: TrainResult.model_validate(launch.answer(request)["result"]) for key, request in wanted.items()}


def _ranks(request: TrainRequest) -> int:
    return request.world_size


if __name__ == "__main__":
    os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "False"  # in which ranks would find those of the training before
    for argument in sys.argv[1:]:
        os.environ["MASTER_PORT"], _, sys.argv[1] = argument.partition(":")
        serve(TrainRequest, partial(train, stop=Stop()))
    leave()
