"""A feature set and a network trained on it for a few epochs in plain torch, for tests of what comes after training."""

from dataclasses import dataclass
from pathlib import Path

import torch

from conf.data import Task
from conf.manifest import Manifest
from conf.networks import AnyModel, AnyNetwork, Mlp
from models.criterion import Criterion
from models.feeds.feed import Feed
from models.feeds.stored import Stored
from models.networks import build
from models.threads import one_thread
from tests.feature_sets import write_feature_set

MODEL = Mlp(name="mlp", hidden=[32, 16], dropout=0.1, embedding_max=4)


@dataclass(frozen=True)
class Trained:
    """Where everything is."""

    feature_set: Path
    manifest: Manifest
    weights: Path
    model: AnyModel = MODEL


def train(
    folder: Path, task: Task, *, epochs: int = 4, rows: int = 4000, model: AnyNetwork = MODEL, seed: int = 0
) -> Trained:
    """Make a feature set below `folder` unless it is there, and weights of `epochs` epochs."""
    torch.manual_seed(seed)
    manifest = write_feature_set(folder / "features", task, rows, tensor=True)
    weights = weights_of(folder / "features", manifest, folder / f"weights-{epochs}.pt", epochs, model)
    return Trained(folder / "features", manifest, weights, model)


def weights_of(features: Path, manifest: Manifest, path: Path, epochs: int, model: AnyNetwork = MODEL) -> Path:
    """Train on `features` and write the weights."""
    network = build(model, manifest)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    criterion = Criterion(manifest)
    feed = Feed(Stored(str(features), manifest, "train", 2**20), batch_size=256, shuffle=True)
    with one_thread():
        for _ in range(epochs):
            for batch in feed:
                loss = criterion(network(*batch.inputs), batch)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]  # untyped in torch
                optimizer.step()
    torch.save(network.state_dict(), path)
    return path
