"""Networks as candidates: a fit is a training on a feature set made of the rows, launched if it has several ranks.

Sizes of a training are those that its entrant has for all rows of the feature set. On fewer rows

- a batch is as large a power of two as gives `EPOCH_STEPS` steps an epoch, but not below `SMALLEST_BATCH`;
- epochs are as many as make the steps that the entrant's would be on all train rows, `FEWEST_STEPS` at least, but not
  more than `MOST_EPOCHS` unless it has more;
- patience is a quarter of the epochs, if it has not more; with schedule=coslog4, whose rate goes up again and again, it
  is all of them, and the best epoch is kept as ever.

The learning rate is not scaled. Nothing here imports torch before a network is trained or read.
"""

import logging
import os
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, cast

from pydantic import ValidationError

from conf.complaints import complaint
from conf.contests import CandidateName, Family
from conf.data import Task
from conf.errors import FranklinError
from conf.exchange import AGENT, TrainRequest, TrainResult, answered
from conf.launchers import Torchrun
from conf.manifest import Manifest, read_manifest
from conf.networks import IMAGE
from conf.schema import Choices, Range
from conf.selecting import Entrant
from models.candidates.candidate import Candidate, Fitted, Space, Value
from models.candidates.fitted_network import FittedNetwork
from models.candidates.holding import hold_out
from models.candidates.rows import Columns, Rows
from models.candidates.view import write_view

TITLES: Mapping[CandidateName, str] = {
    "mlp": "MLP",
    "resnet": "ResNet",
    "cnn": "CNN",
    "realmlp": "RealMLP",
    "tabm": "TabM",
    "ft_transformer": "FT-Transformer",
}
RATE = Range(low=3e-4, high=1e-2, log=True)
SPACES: Mapping[CandidateName, Space] = {
    "mlp": {
        "optimizer.learning_rate": RATE,
        "model.hidden": Choices(choices=[[128, 64], [256, 128, 64], [512, 256]]),
        "model.dropout": Range(low=0.0, high=0.5),
    },
    "resnet": {
        "optimizer.learning_rate": RATE,
        "model.blocks": Choices(choices=[1, 2, 4]),
        "model.width": Choices(choices=[64, 128, 256]),
        "model.dropout": Range(low=0.0, high=0.5),
    },
    "cnn": {
        "optimizer.learning_rate": RATE,
        "model.channels": Choices(choices=[[16, 32], [32, 64], [32, 64, 128]]),
        "model.dropout": Range(low=0.0, high=0.5),
    },
    "realmlp": {
        "optimizer.learning_rate": Range(low=0.02, high=0.2, log=True),
        "optimizer.weight_decay": Range(low=1e-3, high=5e-2, log=True),
        "model.dropout": Range(low=0.0, high=0.3),
        "model.frequency_scale": Range(low=0.05, high=0.5, log=True),
    },
    "tabm": {
        "optimizer.learning_rate": Range(low=5e-4, high=5e-3, log=True),
        "model.hidden": Choices(choices=[[128, 128], [128, 128, 128], [256, 256]]),
        "model.dropout": Range(low=0.0, high=0.5),
        "model.number_bins": Choices(choices=[0, 16, 48]),
    },
    "ft_transformer": {
        "optimizer.learning_rate": Range(low=1e-4, high=3e-3, log=True),
        "model.blocks": Choices(choices=[1, 2, 3]),
        "model.width": Choices(choices=[32, 64, 128]),
        "model.attention_dropout": Range(low=0.0, high=0.5),
    },
}
HELD_OUT = 0.15  # of the rows, to stop by
FEWEST_ROWS = 10
EPOCH_STEPS, FEWEST_STEPS = 32, 500
SMALLEST_BATCH, MOST_EPOCHS = 32, 50
STEP_ROWS = 128  # that a step takes as long for as it does for nothing


class NetworkCandidate(Candidate):
    """A network with its whole training: strategy, feed, optimizer and all."""

    family: ClassVar[Family] = "network"
    tasks: ClassVar[frozenset[Task]] = frozenset({"binary", "multiclass", "regression"})
    imports = ("models.train", "models.fitting", "models.serving.predict")

    def __init__(self, entrant: Entrant) -> None:
        """Take part with that training."""
        self.name, self.title, self._train = entrant.name, TITLES[entrant.name], entrant.train
        self.alone = entrant.train.world_size > 1

    @cached_property
    def _manifest(self) -> Manifest:
        return read_manifest(self._train.feature_set)

    def suits(self, columns: Columns) -> bool:
        """Whether its tensors are numbers, and for a CNN one image."""
        tensors = self._manifest.tensors
        image = [len(tensor.shape) for tensor in tensors] == [IMAGE]
        tokens = any(tensor.dtype == "int32" for tensor in tensors)
        return super().suits(columns) and not tokens and (image or self.name != "cnn")

    def space(self, columns: Columns) -> Space:  # noqa: ARG002 -- the same for all
        """Give keys of the training's settings."""
        return SPACES[self.name]

    def work(self, rows: int) -> float:
        """Give the rows that all steps of its training look at, and some more for each step."""
        learn = max(1, round((1 - HELD_OUT) * rows))
        train = scaled(self._train, learn, self._manifest.splits["train"].rows)
        batch, epochs = train.feed.batch_size, train.trainer.max_epochs
        return epochs * -(-learn // batch) * (STEP_ROWS + min(learn, batch))

    def fit(self, rows: Rows, *, seed: int, values: Mapping[str, Value], threads: int) -> Fitted:
        """Train on most of the rows and stop by the others, in processes that end with this one.

        Raises:
            FranklinError: too few rows, settings that the training refuses, or why it ended without weights.

        """
        if len(rows) < FEWEST_ROWS:
            raise FranklinError(f"{self.title} takes {FEWEST_ROWS} rows at least, and there are {len(rows)}")
        learn, stop = hold_out(rows, HELD_OUT, seed)
        home = self._train.run_folder
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{self.name}-", dir=home) as made:
            folder = Path(made)
            (folder / "rows").mkdir()
            manifest = write_view(
                folder / "rows", self._manifest, {"train": rows.take(learn), "validation": rows.take(stop)}
            )
            request = self._request(folder, len(learn), seed, values, threads)
            result = run_training(self.title, request, folder)
            return FittedNetwork.read(request.model, manifest, result.weights, threads)

    def load(self, folder: Path, columns: Columns) -> Fitted:  # noqa: ARG002 -- the manifest says more
        """Read what a fitted one has written."""
        return FittedNetwork.load(folder)

    def _request(self, folder: Path, rows: int, seed: int, values: Mapping[str, Value], threads: int) -> TrainRequest:
        """The entrant's training, of these rows."""
        train = self._train
        if not isinstance(train.launcher, Torchrun) or train.launcher.nodes > 1:
            raise FranklinError("a contest trains networks on its own machine; say launcher=torchrun launcher.nodes=1")
        tree = scaled(train, rows, self._manifest.splits["train"].rows).model_dump(mode="json")
        tree["feed"] |= {"name": "arrow", "cache": None}  # rows were written a moment ago, and will go
        for key, value in values.items():
            group, _, name = key.partition(".")
            if not isinstance(tree.get(group), dict) or name not in tree[group]:
                raise FranklinError(f"{self.title} has no setting '{key}'")
            tree[group][name] = value
        own = {"seed": seed, "feature_set": str(folder / "rows"), "run_folder": str(folder), "track": None}
        tree |= own | {"answer": str(folder / "answer.json"), "cores": max(1, threads // train.world_size)}
        try:
            return TrainRequest.model_validate(tree)
        except ValidationError as error:
            raise FranklinError(f"{self.title}: {complaint(error, tree)}") from None


def scaled(train: TrainRequest, rows: int, all_rows: int) -> TrainRequest:
    """Size a training, meant for `all_rows` rows, for so many; see above."""
    fitting = 2 ** max(0, (rows // EPOCH_STEPS).bit_length() - 1)
    batch = min(train.feed.batch_size, max(SMALLEST_BATCH, fitting))
    own = train.trainer.max_epochs
    steps = max(FEWEST_STEPS, own * -(-all_rows // train.feed.batch_size))
    epochs = max(own, min(MOST_EPOCHS, -(-steps // -(-rows // batch))))
    patience = epochs if train.optimizer.schedule == "coslog4" else max(train.trainer.patience, -(-epochs // 4))
    changes: dict[str, Any] = {
        "feed": train.feed.model_copy(update={"batch_size": batch}),
        "trainer": train.trainer.model_copy(update={"max_epochs": epochs, "patience": patience}),
    }
    return train.model_copy(update=changes)


def run_training(title: str, request: TrainRequest, folder: Path) -> TrainResult:
    """Run a training to its end: of one rank in this process, of several by the launcher.

    Launched, it is a process group of its own that dies with this process.

    Raises:
        FranklinError: its own, or that it ended without an answer.

    """
    if request.world_size == 1:  # whoever fits has a process for it, and a launcher's would import torch twice more
        return _trained(request)
    path, log = folder / "request.json", folder / "log"
    path.write_text(request.model_dump_json(), encoding="utf-8")
    silent = {name: value for name, value in os.environ.items() if name != "FRANKLIN_PROGRESS"}
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "models.launch", str(path)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**silent, AGENT: str(os.getpid()), "TMPDIR": str(folder)},
        )
        try:
            status = process.wait()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    answer = answered(request.answer)
    if "error" in answer:
        raise FranklinError(f"{title}: {answer['error']}")
    if "result" not in answer:
        said = log.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line.strip() for line in reversed(said) if line.strip()), "it said nothing")
        raise FranklinError(f"the training of {title} ended with exit status {status}: {last}")
    return TrainResult.model_validate(answer["result"])


def _trained(request: TrainRequest) -> TrainResult:
    """Be the only rank of a training."""
    from models.stopping import Stop
    from models.train import train

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)  # it says the same of every fit
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        warnings.filterwarnings("ignore", "torch.distributed is disabled")
        return cast("TrainResult", train(request, Stop()))
