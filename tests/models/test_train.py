"""Training as it is launched: real ranks on the CPU, real crashes."""

from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from mlflow.tracking import MlflowClient
from torch import Tensor
from torch.distributed.checkpoint.filesystem import FileSystemReader

from conf.exchange import PROGRESS_MARK, Track, TrainResult
from conf.manifest import Manifest, read_manifest
from conf.strategies import StrategyName
from models import networks
from models.criterion import Criterion
from models.feeds import open_feed
from models.feeds.feed import Feed
from models.feeds.stored import Stored
from models.module import Learner
from models.parallel import load
from tests.models import launch, trainings
from tests.models.launch import assert_same, kill, wait_for_checkpoint, weights
from tests.stores import new_store

pytestmark = pytest.mark.distributed
LOOSE: dict[StrategyName, int] = {"local_sgd": 2, "async": 2}
EXACT: dict[StrategyName, int] = {"single": 1, "ddp": 2, "fsdp": 2, "tensor": 2, "pipeline": 2}
RANKS = EXACT | LOOSE
DISTRIBUTED: tuple[StrategyName, ...] = ("ddp", "fsdp")
SAME_AS_ONE: tuple[StrategyName, ...] = (*DISTRIBUTED, "tensor", "pipeline")
NEAR = 0.05  # share of the last validation loss; the steps of loosely coupled ranks are others
LATE = 0.1  # share of an epoch's training loss, which falls fast: gradients that come late count most there
Curves = dict[StrategyName, list[tuple[float, float]]]


@pytest.fixture(scope="module")
def tracked(
    feature_set: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[StrategyName, TrainResult], Curves]:
    """One run of each strategy, the same rows in each step's batch over all ranks together; losses of each epoch."""
    folder = tmp_path_factory.mktemp("runs")
    uri = new_store(folder)
    client = MlflowClient(uri)
    experiment = client.create_experiment("strategies", artifact_location=str(folder))
    wanted = {
        name: launch.request(feature_set, folder / name, name, ranks, dropout=0.0, learning_rate=0.003).model_copy(
            update={"track": Track(uri=uri, run_id=client.create_run(experiment).info.run_id)}
        )
        for name, ranks in RANKS.items()
    }
    results = trainings.run(wanted)
    curves: Curves = {}
    for name, request in wanted.items():
        assert request.track is not None
        train, validation = (
            [metric.value for metric in client.get_metric_history(request.track.run_id, f"{split}_loss")]
            for split in ("train", "validation")
        )
        curves[name] = list(zip(train, validation, strict=True))
        assert len(train) == results[name].epochs
    return results, curves


@pytest.fixture
def runs(tracked: tuple[dict[StrategyName, TrainResult], Curves]) -> dict[StrategyName, TrainResult]:
    """The results of these runs."""
    return tracked[0]


@pytest.mark.parametrize("name", [name for name in RANKS if name != "single"])
def test_every_strategy_has_the_loss_curve_of_one_process(
    name: StrategyName, tracked: tuple[dict[StrategyName, TrainResult], Curves]
) -> None:
    _, curves = tracked
    near = NEAR if name in LOOSE else 1e-4  # sums in another order
    for losses, expected in zip(curves[name], curves["single"], strict=True):
        assert losses[0] == pytest.approx(expected[0], rel=LATE if name == "async" else near)
        assert losses[1] == pytest.approx(expected[1], rel=near)


def train_by_hand(feature_set: Path, manifest: Manifest, ranks: int) -> dict[str, Tensor]:
    """A bare loop in one process over what two ranks are fed: the mean of their gradients is the step's."""
    wanted = launch.request(feature_set, feature_set / "by-hand", dropout=0.0, learning_rate=0.003)
    torch.manual_seed(wanted.seed)
    network = networks.build(wanted.model, manifest)
    feeds = [
        open_feed(wanted.feed, str(feature_set), manifest, "train", seed=wanted.seed, rank=rank, world_size=ranks)
        for rank in range(ranks)
    ]
    steps = len(feeds[0]) * wanted.trainer.max_epochs
    alone = load(wanted.strategy, 1)
    learner = Learner(network, manifest, wanted.optimizer, alone, steps=steps, gradient_clip=None, seed=wanted.seed)
    criterion = Criterion(manifest)
    configured: Any = learner.configure_optimizers()
    optimizer, scheduler = configured["optimizer"], configured["lr_scheduler"]["scheduler"]
    for batches in chain.from_iterable(zip(*feeds, strict=True) for _ in range(wanted.trainer.max_epochs)):
        optimizer.zero_grad()
        for batch in batches:
            torch.autograd.backward(criterion(network(*batch.inputs), batch) / ranks)
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
    return network.state_dict()


@pytest.mark.parametrize("name", DISTRIBUTED)
def test_ranks_together_do_what_one_process_would(
    name: StrategyName, runs: dict[StrategyName, TrainResult], feature_set: Path
) -> None:
    assert runs[name].best_epoch == runs[name].epochs - 1  # else the best weights are not the last
    by_hand = train_by_hand(feature_set, read_manifest(str(feature_set)), ranks=2)
    assert_same(weights(runs[name]), by_hand, tolerance=1e-4)  # sums in another order


@pytest.mark.parametrize("name", SAME_AS_ONE)
def test_strategies_do_the_same_as_one_process(name: StrategyName, runs: dict[StrategyName, TrainResult]) -> None:
    assert runs[name].steps == runs["single"].steps == 80
    assert runs[name].validation_loss == pytest.approx(runs["single"].validation_loss, rel=1e-4)
    assert_same(weights(runs[name]), weights(runs["single"]), tolerance=1e-4)  # sums in another order


@pytest.mark.parametrize("name", LOOSE)
def test_loosely_coupled_ranks_end_near_one_process(name: StrategyName, runs: dict[StrategyName, TrainResult]) -> None:
    assert runs[name].steps == runs["single"].steps
    assert runs[name].validation_loss == pytest.approx(runs["single"].validation_loss, rel=NEAR)


def test_fsdp_ranks_hold_half_of_the_parameters_each(runs: dict[StrategyName, TrainResult]) -> None:
    (checkpoint,) = (runs["fsdp"].weights.parent / "checkpoints").glob("step-*")
    shards = dict.fromkeys(("__0_0.distcp", "__1_0.distcp"), 0)
    metadata = FileSystemReader(checkpoint).read_metadata()
    for place, stored in metadata.storage_data.items():
        if place.fqn.startswith("network."):
            shards[stored.relative_path] += stored.length
    assert min(shards.values()) > 0.4 * sum(shards.values())
    whole = sum(tensor.numel() for tensor in weights(runs["fsdp"]).values())
    assert whole == sum(tensor.numel() for tensor in weights(runs["single"]).values())


@pytest.mark.parametrize("name", RANKS)
def test_weights_load_into_a_plain_network_and_beat_the_prior(
    name: StrategyName, runs: dict[StrategyName, TrainResult], feature_set: Path
) -> None:
    manifest = read_manifest(str(feature_set))
    network = networks.build(launch.request(feature_set, feature_set / "plain").model, manifest)
    network.load_state_dict(weights(runs[name]))
    network.eval()
    feed = Feed(Stored(str(feature_set), manifest, "validation", 2**20), batch_size=500, shuffle=False)
    (batch,) = feed
    with torch.inference_mode():
        logits = network(batch.numeric, batch.categorical)[:, 0]
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, batch.label)
    assert float(loss) == pytest.approx(runs[name].validation_loss, abs=1e-6)  # exact over all rows and ranks
    trivial = torch.nn.functional.binary_cross_entropy(
        torch.full_like(batch.label, manifest.label.prior[1]), batch.label
    )
    assert float(loss) < 0.7 * float(trivial)


@pytest.mark.parametrize(
    ("name", "ranks"),
    [
        pytest.param("single", 1, marks=pytest.mark.soak),  # of ddp: tests/models/launching/test_kills.py
        pytest.param("local_sgd", 2, marks=pytest.mark.soak),
        pytest.param("fsdp", 2, marks=pytest.mark.soak),
        pytest.param("tensor", 2, marks=pytest.mark.soak),
        pytest.param("pipeline", 2, marks=pytest.mark.soak),
        pytest.param("ddp", 3, marks=pytest.mark.soak),
        pytest.param("fsdp", 3, marks=pytest.mark.soak),
    ],
)
def test_a_killed_training_goes_on_as_if_nothing_had_happened(
    name: StrategyName, ranks: int, feature_set: Path, tmp_path: Path
) -> None:
    untouched = launch.run(
        launch.request(feature_set, tmp_path / "untouched", name, ranks, checkpoint_steps=7, max_epochs=8)
    )
    wanted = launch.request(feature_set, tmp_path / "killed", name, ranks, checkpoint_steps=7, max_epochs=8)
    resumed = launch.run_and_kill(wanted, after_step=25)
    assert_same(weights(resumed), weights(untouched))
    assert (resumed.best_epoch, resumed.validation_loss) == (untouched.best_epoch, untouched.validation_loss)


OTHERS: list[Any] = [
    ("fsdp", 2, "fsdp", 3),
    *(
        pytest.param(*case, marks=pytest.mark.soak)
        for case in [
            ("ddp", 2, "single", 1),
            ("single", 1, "fsdp", 2),
            ("fsdp", 2, "ddp", 2),
            ("ddp", 2, "ddp", 1),
            ("ddp", 1, "ddp", 2),
            ("ddp", 2, "ddp", 3),
            ("fsdp", 2, "fsdp", 1),
            ("fsdp", 1, "fsdp", 2),
            ("ddp", 2, "fsdp", 2),
            ("ddp", 2, "fsdp", 3),
            ("fsdp", 2, "ddp", 3),
        ]
    ),
    pytest.param("pipeline", 2, "single", 1, marks=pytest.mark.soak),
    pytest.param("single", 1, "pipeline", 3, marks=pytest.mark.soak),
    pytest.param("tensor", 4, "ddp", 2, marks=pytest.mark.soak),
]


@pytest.mark.parametrize(("name", "ranks", "other", "others"), OTHERS)
def test_a_killed_training_goes_on_with_other_ranks_and_strategies(
    *,
    name: StrategyName,
    ranks: int,
    other: StrategyName,
    others: int,
    runs: dict[StrategyName, TrainResult],
    feature_set: Path,
    tmp_path: Path,
) -> None:
    plain: dict[str, Any] = {"dropout": 0.0, "learning_rate": 0.003, "checkpoint_steps": 3}
    wanted = launch.request(feature_set, tmp_path, name, ranks, **plain)
    with launch.start(wanted) as agent:
        wait_for_checkpoint(wanted.run_folder, after_step=30)
        kill([agent.pid])
        agent.communicate(timeout=60)
    resumed = launch.run(launch.request(feature_set, tmp_path, other, others, **plain))
    assert 30 < resumed.resumed_from_step < resumed.steps == runs["single"].steps
    assert resumed.validation_loss == pytest.approx(runs["single"].validation_loss, rel=1e-4)
    assert_same(weights(resumed), weights(runs["single"]), tolerance=1e-4)


def test_stops_early_and_stays_stopped(feature_set: Path, tmp_path: Path) -> None:
    wanted = launch.request(feature_set, tmp_path / "run", max_epochs=60, patience=2, learning_rate=0.05)
    with launch.start(wanted) as group:
        output, _ = group.communicate()
    assert all(line.startswith(PROGRESS_MARK) for line in output.splitlines())  # standard output is for progress
    first = TrainResult.model_validate(launch.answer(wanted)["result"])
    assert first.epochs == first.best_epoch + 1 + 2 < 60
    wanted.answer.unlink()
    again = launch.run(wanted)  # as after a crash between the last checkpoint and the answer
    assert (again.steps, again.resumed_from_step) == (first.steps, first.steps)
    assert (again.rows_per_second, again.metrics["data_wait_share"]) == (0, 0)  # which a flow shows
    assert_same(weights(again), weights(first))


@pytest.mark.soak
def test_a_checkpoint_of_another_network_is_refused(feature_set: Path, tmp_path: Path) -> None:
    wanted = launch.request(feature_set, tmp_path / "run", max_epochs=1)
    launch.run(wanted)
    other = wanted.model_copy(update={"model": wanted.model.model_copy(update={"hidden": [8]})})
    with launch.start(other) as group:
        group.communicate()
    assert group.returncode != 0
    assert "model.hidden was [32, 16], now it is [8]" in launch.answer(other)["error"]


@pytest.mark.soak
def test_rank_0_writes_one_batch_of_metrics_an_epoch(feature_set: Path, tmp_path: Path) -> None:
    uri = new_store(tmp_path)
    client = MlflowClient(uri)
    run = client.create_run(client.create_experiment("training", artifact_location=str(tmp_path))).info.run_id
    wanted = launch.request(feature_set, tmp_path / "run", "ddp", 2, max_epochs=2)
    result = launch.run(wanted.model_copy(update={"track": Track(uri=uri, run_id=run)}))
    paces = ("rank_0_step_seconds", "rank_1_wait_seconds", "straggler_share")
    for name in ("train_loss", "validation_loss", "learning_rate", "rows_per_second", "data_wait_share", *paces):
        history = client.get_metric_history(run, name)
        assert [metric.step for metric in history] == [0, 1]
        assert history[-1].value == pytest.approx(result.metrics[name])
