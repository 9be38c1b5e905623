"""The engines of the pipeline: how each is started, and what it is asked, from a run's settings."""

import sys
from pathlib import Path

from conf.errors import FranklinError
from conf.exchange import (
    EvaluateRequest,
    FitRequest,
    LandRequest,
    PlanRequest,
    PrepareRequest,
    Ranks,
    RegisterRequest,
    Request,
    SparkRanksRequest,
    Track,
    TrainRequest,
)
from conf.networks import AnyNetwork, Selected
from conf.schema import Settings
from conf.spark import AnyCluster
from models.parallel.room import ranks_of
from models.parallel.world import count_cores


def engine(module: str) -> list[str]:
    """Command of an engine that is one process."""
    return [sys.executable, "-m", module]


LAND = engine("spark_jobs.land")
PREPARE = engine("spark_jobs.prepare")
PLAN = engine("models.parallel.planner")
TRAIN = engine("models.launch")
RANK = "models.train"
TRAIN_IN_SPARK = engine("spark_jobs.ranks")
JOIN = engine("models.join")
FIT = engine("models.candidates.train")
CONTEST = engine("models.candidates.contest")
FIT_IN_SPARK = engine("spark_jobs.fits")
LOOK = engine("models.unlabelled.look")
LOOK_IN_SPARK = engine("spark_jobs.unlabelled")
EVALUATE = engine("models.evaluation.evaluate")
REGISTER = engine("models.serving.register")


def to_prepare(settings: Settings, folder: Path, feature_set: str, fingerprint: str) -> PrepareRequest:
    """Ask for the feature set with this fingerprint, to be left at `feature_set`; the answer goes to `folder`."""
    return PrepareRequest(
        answer=folder / "prepare.json",
        data=settings.data,
        spark=settings.spark,
        folder=feature_set,
        days=str(days_folder(settings)),
        fingerprint=fingerprint,
    )


def to_land(settings: Settings, folder: Path) -> LandRequest:
    """Ask for the days of the window to be read; the answer goes to `folder`."""
    return LandRequest(
        answer=folder / "land.json", data=settings.data, spark=settings.spark, days=str(days_folder(settings))
    )


def days_folder(settings: Settings) -> Path:
    """Where days that were read once are kept."""
    return settings.home / "days" / settings.data.name


def to_plan(settings: Settings, folder: Path, feature_set: str, candidates: list[Ranks]) -> PlanRequest:
    """Ask what each candidate would take."""
    return PlanRequest(
        answer=folder / "plan.json",
        feature_set=feature_set,
        model=network(settings),
        trainer=settings.trainer,
        checkpointing=settings.checkpointing,
        batch_size=settings.feed.batch_size,
        candidates=candidates,
    )


def network(settings: Settings) -> AnyNetwork:
    """The network of a run.

    Raises:
        FranklinError: it has none.

    """
    if isinstance(settings.model, Selected):
        who = settings.model.candidate or "a candidate"
        raise FranklinError(
            f"model=selected is {who}, which is no network: it is fitted in one process, so there "
            "is no plan; `franklin run` fits it, and model=mlp or another network has a plan"
        )
    return settings.model


def to_train(settings: Settings, folder: Path, feature_set: str, ranks: int, track: Track | None) -> TrainRequest:
    """Ask for a training in `folder`, over `ranks` ranks."""
    return TrainRequest(
        answer=folder / "train.json",
        feature_set=feature_set,
        run_folder=folder,
        seed=settings.seed,
        feed=settings.feed,
        model=network(settings),
        optimizer=settings.optimizer,
        trainer=settings.trainer,
        strategy=settings.strategy,
        checkpointing=settings.checkpointing,
        launcher=settings.launcher,
        world_size=ranks,
        cores=cluster.executor_cores if (cluster := executors(settings)) else None,
        fault=settings.fault,
        track=track,
    )


def to_fit(settings: Settings, folder: Path, feature_set: str) -> FitRequest:
    """Ask for the selected candidate to be fitted in `folder`; networks of an ensemble train there as any would."""
    if not isinstance(settings.model, Selected):
        raise TypeError(f"{settings.model.name} is a network")
    networks = {
        each.candidate: settings.model_copy(update=dict(each.learning))
        for each in settings.model.members
        if each.learning
    }
    return FitRequest(
        answer=folder / "train.json",
        feature_set=feature_set,
        run_folder=folder,
        seed=settings.seed,
        model=settings.model,
        networks={
            name: to_train(each, folder / "networks" / name, feature_set, ranks_of(each), None)
            for name, each in networks.items()
        },
        cores=count_cores(),
    )


def launching(settings: Settings, request: TrainRequest) -> tuple[list[str], Request]:
    """Command of what launches the ranks of a training, and what it is asked."""
    cluster = executors(settings)
    if cluster is None:
        return TRAIN, request
    return TRAIN_IN_SPARK, SparkRanksRequest(answer=request.answer, spark=cluster, module=RANK, train=request)


def executors(settings: Settings) -> AnyCluster | None:
    """The cluster whose executors run ranks, if they do."""
    spark = settings.spark
    return spark if settings.launcher.name == "spark" and isinstance(spark, AnyCluster) else None


def to_evaluate(
    settings: Settings, folder: Path, feature_set: str, weights: Path, track: Track | None
) -> EvaluateRequest:
    """Ask what `weights` are worth; predictions and pictures go below `folder`."""
    return EvaluateRequest(
        answer=folder / "evaluate.json",
        feature_set=feature_set,
        weights=weights,
        model=settings.model,
        feed=settings.feed,
        seed=settings.seed,
        bootstrap=settings.tracking.bootstrap,
        run_folder=folder / "evaluate",
        track=track,
    )


def to_register(settings: Settings, folder: Path, feature_set: str, weights: Path, track: Track) -> RegisterRequest:
    """Ask to log `weights` as a new version of the experiment's model."""
    return RegisterRequest(
        answer=folder / "register.json",
        feature_set=feature_set,
        weights=weights,
        model=settings.model,
        name=settings.experiment,
        split=settings.data.split,
        promotion=settings.tracking.promotion,
        seed=settings.seed,
        bootstrap=settings.tracking.bootstrap,
        run_folder=folder / "register",
        track=track,
    )
