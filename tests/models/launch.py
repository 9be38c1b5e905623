"""Starts real training groups, as the flow does, but by hand."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter

from conf.compose import ROOT
from conf.exchange import TrainRequest, TrainResult
from conf.networks import Mlp
from conf.schema import Feed, Optimizer, Trainer
from conf.strategies import AnyStrategy, StrategyName


def request(
    feature_set: Path, run_folder: Path, strategy: StrategyName = "single", ranks: int = 1, **trainer: Any
) -> TrainRequest:
    """A small training run; `trainer` overrides its trainer settings and `learning_rate` or `dropout`."""
    run_folder.mkdir(exist_ok=True)
    learning_rate, dropout = trainer.pop("learning_rate", 0.01), trainer.pop("dropout", 0.1)
    base = {"max_epochs": 4, "patience": 10, "precision": "32-true", "gradient_clip": 1.0, "checkpoint_steps": None}
    base |= {"keep_checkpoints": 1, "accumulate": 1, "average": None, "compile": False}
    return TrainRequest(
        answer=run_folder / "answer.json",
        feature_set=str(feature_set),
        run_folder=run_folder,
        seed=1,
        feed=Feed(name="arrow", batch_size=100, layout="mapped", memory="1m", cache=None),
        model=Mlp(name="mlp", hidden=[32, 16], dropout=dropout, embedding_max=8),
        optimizer=Optimizer(name="adamw", learning_rate=learning_rate, weight_decay=0.01, warmup_share=0.05),
        trainer=Trainer(**{**base, **trainer}),
        strategy=parallel(strategy, world_size=ranks),
        checkpointing="none",
        world_size=ranks,
        track=None,
    )


def parallel(name: StrategyName, **changes: Any) -> AnyStrategy:
    """A strategy as it is shipped, with changes."""
    tree = yaml.safe_load((ROOT / "strategy" / f"{name}.yaml").read_text(encoding="utf-8"))
    strategy: AnyStrategy = TypeAdapter(AnyStrategy).validate_python(tree | changes)
    return strategy


def start(wanted: TrainRequest) -> subprocess.Popen[str]:
    """Start torchrun; progress comes on its standard output, the log on its standard error."""
    path = wanted.run_folder / "request.json"
    path.write_text(wanted.model_dump_json(), encoding="utf-8")
    torchrun = ["torch.distributed.run", "--standalone", f"--nproc-per-node={wanted.world_size}"]
    return subprocess.Popen(
        [sys.executable, "-m", *torchrun, "-m", "models.train", str(path)],
        stdout=subprocess.PIPE,
        stderr=(wanted.run_folder / "log").open("w", encoding="utf-8"),
        text=True,
        env={**os.environ, "FRANKLIN_PROGRESS": "1", "OMP_NUM_THREADS": "1"},
    )


def together(module: str, ranks: int, *arguments: str) -> None:
    """Have so many ranks run a module to its end."""
    torchrun = ["torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
    done = subprocess.run(
        [sys.executable, "-m", *torchrun, "-m", module, *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def answer(wanted: TrainRequest) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(wanted.answer.read_text(encoding="utf-8"))
    return content


def run(wanted: TrainRequest) -> TrainResult:
    """Run to the end and read the result."""
    with start(wanted) as group:
        group.communicate()
    assert group.returncode == 0, (wanted.run_folder / "log").read_text(encoding="utf-8")[-3000:]
    return TrainResult.model_validate(answer(wanted)["result"])
