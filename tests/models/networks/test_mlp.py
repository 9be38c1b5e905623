"""The network's shapes and its first guess."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from conf.data import Task
from conf.manifest import Manifest
from conf.networks import Mlp
from models.networks import build
from tests.feature_sets import write_feature_set

MODEL = Mlp(name="mlp", hidden=[16, 8], dropout=0.1, embedding_max=4)
OUTPUTS: dict[Task, int] = {"binary": 1, "regression": 1, "multiclass": 3}


def rows(manifest: Manifest, count: int) -> tuple[Tensor, Tensor]:
    codes = [torch.randint(column.cardinality, (count,)) for column in manifest.categorical]
    categorical = torch.stack(codes, dim=1) if codes else torch.empty((count, 0), dtype=torch.int64)
    return torch.randn(count, len(manifest.numeric)), categorical


@pytest.mark.parametrize("task", OUTPUTS)
@pytest.mark.parametrize("without", [{}, {"numeric": False}, {"categorical": False}])
def test_output_fits_the_task_whatever_columns_there_are(task: Task, without: Any, tmp_path: Path) -> None:
    manifest = write_feature_set(tmp_path, task, rows=60, **without)
    network = build(MODEL, manifest)
    assert network(*rows(manifest, 5)).shape == (5, OUTPUTS[task])
    assert isinstance(network.blocks, nn.ModuleList)
    assert len(network.blocks) == len(MODEL.hidden)


def test_starts_near_the_trivial_prediction(tmp_path: Path) -> None:
    manifest = write_feature_set(tmp_path, "multiclass", rows=300)
    network = build(MODEL, manifest)
    nn.init.zeros_(network.get_parameter("head.weight"))
    torch.testing.assert_close(network(*rows(manifest, 1))[0].softmax(0), torch.tensor(manifest.label.prior))


def test_every_code_of_every_column_has_a_vector_of_its_own(tmp_path: Path) -> None:
    manifest = write_feature_set(tmp_path, "binary", rows=60, numeric=False)
    network = build(MODEL, manifest).eval()
    table = network.get_parameter("stem.scalars.embeddings.table.weight")
    assert len(table) == sum(column.cardinality for column in manifest.categorical)
    last = torch.tensor([[column.cardinality - 1 for column in manifest.categorical]])
    network(torch.empty(1, 0), last).sum().backward()
    assert table.grad is not None
    touched = table.grad.abs().sum(1).nonzero()[:, 0].tolist()
    first, second = (column.cardinality for column in manifest.categorical)
    assert touched == [first - 1, first + second - 1]
