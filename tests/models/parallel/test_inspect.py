"""Networks that a strategy cannot take: one line, before anything starts."""

import pytest

from conf.errors import FranklinError
from conf.manifest import Manifest
from conf.networks import AnyNetwork, Cnn, Mlp
from conf.strategies import AnyStrategy
from models.feeds.record import Record
from models.networks import build
from models.parallel import load
from tests.feature_sets import write_feature_set
from tests.models.launch import parallel

MLP = Mlp(name="mlp", hidden=[16, 8, 6], dropout=0.1, embedding_max=4)
CNN = Cnn(name="cnn", channels=[4, 8], hidden=[], dropout=0.1, embedding_max=4)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return write_feature_set(tmp_path_factory.mktemp("binary"), "binary", rows=60, tensor=True)


def inspect(manifest: Manifest, model: AnyNetwork, strategy: AnyStrategy, ranks: int) -> None:
    load(strategy, ranks).inspect(build(model, manifest), model.name, Record.of(manifest).example(2))


def test_too_few_blocks_for_so_many_stages(manifest: Manifest) -> None:
    inspect(manifest, MLP, parallel("pipeline"), 5)  # stem, three blocks, head
    with pytest.raises(
        FranklinError,
        match=r"^network mlp has 3 blocks, which cannot be cut into 8 stages; take strategy.world_size=5$",
    ):
        inspect(manifest, MLP, parallel("pipeline"), 8)
    with pytest.raises(FranklinError, match=r"cannot be cut into 6 stages; take strategy.world_size=2$"):
        inspect(manifest, MLP, parallel("pipeline", schedule="interleaved"), 3)


def test_a_stage_without_parameters_is_none(manifest: Manifest) -> None:
    inspect(manifest, CNN, parallel("pipeline"), 4)  # stem, two convolutions, head; what joins them has no parameters
    with pytest.raises(FranklinError, match=r"^network cnn has 3 blocks, .* 5 stages; take strategy.world_size=4$"):
        inspect(manifest, CNN, parallel("pipeline"), 5)


def test_no_block_to_split(manifest: Manifest) -> None:
    with pytest.raises(
        FranklinError, match=r"^network cnn has no block that can be split; choose strategy=fsdp or ddp$"
    ):
        inspect(manifest, CNN, parallel("tensor"), 2)


def test_widths_that_ranks_cannot_share(manifest: Manifest) -> None:
    with pytest.raises(
        FranklinError,
        match=r"^network mlp has a layer of width 6, which strategy.tensor_size=4 ranks cannot share equally; take",
    ):
        inspect(manifest, MLP, parallel("tensor", tensor_size=4), 4)
