"""Who takes part in a contest: the words that a person may say of it, and the networks that suit the data."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from conf.complaints import nearest
from conf.compose import ROOT, compose, groups
from conf.contests import CANDIDATES, CandidateName, Contest
from conf.data import Task
from conf.errors import FranklinError, closest
from conf.manifest import read_manifest
from conf.networks import NETWORKS
from conf.schema import Settings
from conf.segmenting import vocabularies
from conf.selecting import ContestRequest, Entrant, UnlabelledRequest, UnlabelledResult
from flows.engines import FIT_IN_SPARK, LOOK, LOOK_IN_SPARK, to_train
from models.candidates import named
from models.candidates.engines import engine_for
from models.candidates.networks import scaled
from models.candidates.reading import columns_of
from models.parallel.room import ranks_of
from models.parallel.world import count_cores

OF_NETWORKS = "model."  # keys that are for those networks that have them
# What a paper says of one kind of label: Holzmueller et al. 2024, table A.1.
BY_TASK: Mapping[tuple[CandidateName, Task | None], list[str]] = {
    ("realmlp", "regression"): ["optimizer.learning_rate=0.2"]
}
SHORT = ("budget_seconds", "blind", "engine")  # words that `franklin select` takes without `contest.`


def spelt(overrides: Sequence[str]) -> list[str]:
    """Overrides with short words in full: `blind=true` is `contest.blind=true`."""
    return [f"contest.{each}" if each.partition("=")[0] in SHORT else each for each in overrides]


def contest_settings(experiment: str, overrides: Sequence[str]) -> Settings:
    """Compose a contest, and see that nothing is asked of it that is another command's.

    Raises:
        FranklinError: a mistake that a person can mend.

    """
    for override in overrides:
        key, _, value = override.partition("=")
        if key == "model":
            raise FranklinError(f"model={value}: a contest has networks of its own; say contest.candidates=[{value}]")
    settings = compose(experiment, [each for each in overrides if not each.startswith(OF_NETWORKS)])
    if settings.data.task == "sequence":
        raise FranklinError(
            f"{experiment} is of sequences, for which there are no candidates: franklin run {experiment}"
        )
    if settings.strategy.name == "auto":
        raise FranklinError(
            "strategy=auto plans for one network, and a contest has several; say one of "
            f"{', '.join(each for each in groups()['strategy'] if each != 'auto')}"
        )
    if settings.launcher.name != "torchrun":
        raise FranklinError(f"launcher={settings.launcher.name}: a contest's networks take launcher=torchrun")
    if settings.tuner.name != "none":
        raise FranklinError(
            f"tuner={settings.tuner.name}: a contest tries contest.trials settings itself; leave it out"
        )
    if settings.resume is not None:
        raise FranklinError("resume goes on with a network's training; a contest that is retried goes on by itself")
    if settings.data.task is not None:
        check_suits(settings.contest, settings.data.task)
    return settings


def check_suits(contest: Contest, task: Task) -> None:
    """See that those named in `contest.candidates`, and its costs, are for such a label.

    Raises:
        FranklinError: they are not.

    """
    if contest.costs is not None and task != "binary":
        raise FranklinError(
            f"contest.costs are of two classes, and the task is {task}: leave them out, or make a label of two classes"
        )
    for name in contest.candidates or ():
        if not _is_for(name, task):
            suited = [each for each in CANDIDATES if each not in NETWORKS and _is_for(each, task)]
            guess = closest(name, suited)
            hint = f"did you mean '{guess}'? " if guess else ""
            raise FranklinError(
                f"contest.candidates: {name} is not for task={task}: {hint}for it are {', '.join(suited)} and networks"
            )


def _is_for(name: CandidateName, task: Task) -> bool:
    return name in NETWORKS or task in named(name).tasks  # which imports its library


def networks(
    experiment: str, overrides: Sequence[str], settings: Settings, task: Task | None = None
) -> tuple[dict[CandidateName, Settings], list[str]]:
    """Compose each network that suits the data; and say of those that can't be trained like this why.

    Args:
        experiment: as the person has said it.
        overrides: in full.
        settings: the contest's.
        task: if it is known; None: as the settings say, which leave it to be inferred.

    Raises:
        FranklinError: one that is named in `contest.candidates` does not suit, or no network has a key of `model`.

    """
    found: dict[CandidateName, Settings] = {}
    absent: list[str] = []
    wanted = settings.contest.candidates
    names = [name for name in CANDIDATES if name in NETWORKS and name in groups()["model"]]
    keys = {name: {f"{OF_NETWORKS}{key}" for key in shipped_keys(name)} for name in names}
    for override in overrides:
        key = override.partition("=")[0]
        if key.startswith(OF_NETWORKS) and not any(key in keys[name] for name in names):
            raise FranklinError(f"unknown key '{key}': {nearest(key, sorted(set().union(*keys.values())))}")
    for name in names:
        if wanted is not None and name not in wanted:
            continue
        said = [*BY_TASK.get((name, task or settings.data.task), ()), *overrides]
        own = [each for each in said if not each.startswith(OF_NETWORKS) or each.partition("=")[0] in keys[name]]
        try:
            compose(experiment, [f"model={name}"])
        except FranklinError as error:  # such as a CNN where there is no image
            if wanted is not None:
                raise FranklinError(f"contest.candidates: {name} can't take part: {error}") from None
            continue
        try:
            composed = compose(experiment, [f"model={name}", *own])
            ranks_of(composed)
        except FranklinError as error:
            if wanted is not None:
                raise FranklinError(f"contest.candidates: {name} can't take part: {error}") from None
            absent.append(f"{name} did not take part: {error}")
            continue
        found[name] = composed
    return found, absent


def shipped_keys(name: CandidateName) -> set[str]:
    """The keys of a network, as `conf/model` has them."""
    tree = yaml.safe_load((ROOT / "model" / f"{name}.yaml").read_text(encoding="utf-8"))
    return {*tree.get("model", tree)} - {"name", "defaults"}


def sized(settings: Settings, folder: Path, feature_set: str) -> list[str]:
    """Say as overrides how a contest sizes a network's training for all train rows."""
    rows = read_manifest(feature_set).splits["train"].rows
    train = scaled(to_train(settings, folder, feature_set, ranks_of(settings), None), rows, rows)
    return [
        f"feed.batch_size={train.feed.batch_size}",
        f"trainer.max_epochs={train.trainer.max_epochs}",
        f"trainer.patience={train.trainer.patience}",
        f"optimizer.learning_rate={train.optimizer.learning_rate}",
    ]


def to_look(settings: Settings, folder: Path, feature_set: str) -> tuple[list[str], UnlabelledRequest]:
    """Command of the engine that looks without labels, where the contest would fit, and what it is asked."""
    contest, manifest = settings.contest, read_manifest(feature_set)
    vocabularies(manifest, contest.segments)  # a mistake is told before anything starts
    command = LOOK_IN_SPARK if engine_for(contest, manifest, columns_of(manifest)) == "spark" else LOOK
    return command, UnlabelledRequest(
        answer=folder / "look.json",
        feature_set=feature_set,
        run_folder=folder,
        spark=settings.spark,
        segments=contest.segments,
        rules=contest.rules,
        seed=settings.seed,
    )


def to_contest(
    settings: Settings,
    folder: Path,
    feature_set: str,
    entrants: Mapping[CandidateName, Settings],
    *,
    said: str | None = None,
    looked: UnlabelledResult | None = None,
    absent: Sequence[str] = (),
) -> ContestRequest:
    """Ask for a contest in `folder`, in which these networks take part; what was `looked` at goes into the report.

    So does what is said of networks that are `absent`. `said` is what a person has called the experiment.
    """
    return ContestRequest(
        answer=folder / "contest.json",
        feature_set=feature_set,
        run_folder=folder,
        experiment=settings.experiment,
        said=said,
        seed=settings.seed,
        contest=settings.contest,
        split=settings.data.split,
        bootstrap=settings.tracking.bootstrap,
        cores=count_cores(),
        networks=[
            Entrant(name=name, train=to_train(each, folder / "networks" / name, feature_set, ranks_of(each), None))
            for name, each in entrants.items()
        ],
        notes=list(absent),
        looked=looked,
        spark=settings.spark,
        spark_fits=FIT_IN_SPARK,
    )
