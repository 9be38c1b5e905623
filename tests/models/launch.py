"""Starts real training groups, as the flow does, but by hand."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import torch
import yaml
from pydantic import TypeAdapter
from torch import Tensor

from conf.compose import ROOT
from conf.exchange import TrainRequest, TrainResult
from conf.launchers import Torchrun
from conf.networks import Mlp
from conf.strategies import AnyStrategy, StrategyName
from conf.training import Feed, Optimizer, Trainer

PLAIN: dict[str, Any] = {"dropout": 0.0, "learning_rate": 0.003}  # without dropout, ranks can do what one process does


def request(
    feature_set: Path, run_folder: Path, strategy: StrategyName = "single", ranks: int = 1, **trainer: Any
) -> TrainRequest:
    """A small training run; `trainer` overrides its trainer settings and `learning_rate`, `dropout` or `launcher`."""
    run_folder.mkdir(exist_ok=True)
    launcher = shipped("launcher", "torchrun") | trainer.pop("launcher", {})
    learning_rate, dropout = trainer.pop("learning_rate", 0.01), trainer.pop("dropout", 0.1)
    base = {"max_epochs": 4, "patience": 10, "precision": "32-true", "gradient_clip": 1.0, "checkpoint_steps": None}
    base |= {"keep_checkpoints": 1, "accumulate": 1, "average": None, "compile": False, "accelerator": "auto"}
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
        launcher=Torchrun(**launcher),
        world_size=ranks,
        cores=None,
        track=None,
    )


def parallel(name: StrategyName, **changes: Any) -> AnyStrategy:
    """A strategy as it is shipped, with changes."""
    strategy: AnyStrategy = TypeAdapter(AnyStrategy).validate_python(shipped("strategy", name) | changes)
    return strategy


def shipped(group: str, name: str) -> dict[str, Any]:
    """A choice as it is shipped."""
    tree: dict[str, Any] = yaml.safe_load((ROOT / group / f"{name}.yaml").read_text(encoding="utf-8"))
    for base in tree.pop("defaults", []):
        tree = (shipped(group, base) if base != "_self_" else {}) | tree
    return tree


def start(wanted: TrainRequest) -> subprocess.Popen[str]:
    """Start the agent; progress comes on its standard output, the log on its standard error."""
    path = wanted.run_folder / "request.json"
    path.write_text(wanted.model_dump_json(), encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, "-m", "models.launch", str(path)],
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
    assert done.returncode == 0, done.stderr[-12000:]  # of all ranks


def answer(wanted: TrainRequest) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(wanted.answer.read_text(encoding="utf-8"))
    return content


def log(wanted: TrainRequest) -> str:
    return (wanted.run_folder / "log").read_text(encoding="utf-8")


def result(wanted: TrainRequest) -> TrainResult:
    """Read the result of a training that has ended well."""
    assert "result" in (answer(wanted) if wanted.answer.exists() else {}), log(wanted)[-3000:]
    return TrainResult.model_validate(answer(wanted)["result"])


def run(wanted: TrainRequest) -> TrainResult:
    """Run to the end and read the result."""
    with start(wanted) as agent:
        agent.communicate()
    assert agent.returncode == 0, log(wanted)[-3000:]
    return result(wanted)


def run_and_kill(wanted: TrainRequest, after_step: int) -> TrainResult:
    """Run to the end, but kill the last rank after a checkpoint of a later step, once: the agent starts all again."""
    with start(wanted) as agent:
        wait_for_checkpoint(wanted.run_folder, after_step)
        kill(ranks_of(agent)[-1:])
        agent.communicate(timeout=120)
    ended = result(wanted)
    assert ended.restarts == 1
    assert after_step < ended.resumed_from_step < ended.steps
    return ended


def ranks_of(agent: subprocess.Popen[str]) -> list[int]:
    """The processes of an agent's ranks."""
    found = []
    for process in psutil.Process(agent.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "models.train" in process.cmdline():
                found.append(process.pid)
    return found


def kill(processes: Iterable[int]) -> None:
    """Kill processes outright."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def wait_for_checkpoint(run_folder: Path, after_step: int) -> None:
    """Wait until a complete checkpoint of a later step is there."""
    while True:
        for path in (run_folder / "checkpoints").glob("step-*"):
            if path.suffix != ".partial" and int(path.name.removeprefix("step-")) > after_step:
                return
        time.sleep(0.005)


def weights(result: TrainResult) -> dict[str, Tensor]:
    loaded: dict[str, Tensor] = torch.load(result.weights, weights_only=True)
    return loaded


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor], *, tolerance: float = 0) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], rtol=0, atol=tolerance)
