"""What `mlp` makes of codes."""

from pathlib import Path

import torch

from models.networks import build
from tests.feature_sets import write_feature_set
from tests.models.networks.cases import SMALL


def test_every_code_of_every_column_has_a_vector_of_its_own(tmp_path: Path) -> None:
    manifest = write_feature_set(tmp_path, "binary", rows=60, numeric=False)
    network = build(SMALL["mlp"], manifest).eval()
    table = network.get_parameter("stem.scalars.embeddings.table.weight")
    assert len(table) == sum(column.cardinality for column in manifest.categorical)
    last = torch.tensor([[column.cardinality - 1 for column in manifest.categorical]])
    network(torch.empty(1, 0), last).sum().backward()
    assert table.grad is not None
    touched = table.grad.abs().sum(1).nonzero()[:, 0].tolist()
    first, second = (column.cardinality for column in manifest.categorical)
    assert touched == [first - 1, first + second - 1]
