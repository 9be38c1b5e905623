"""Who takes part in a contest: the words that a person may say of it, and the networks that suit the data."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from conf.compose import compose, groups
from conf.contests import CANDIDATES, CandidateName, Contest
from conf.data import Task
from conf.errors import FranklinError, closest
from conf.networks import NETWORKS
from conf.schema import Settings
from conf.selecting import ContestRequest, Entrant
from flows.engines import FIT_IN_SPARK, to_train
from models.candidates import named
from models.parallel.room import ranks_of
from models.parallel.world import count_cores

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
    settings = compose(experiment, overrides)
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
        check_named(settings.contest, settings.data.task)
    return settings


def check_named(contest: Contest, task: Task) -> None:
    """See that those named in `contest.candidates` are for such a label.

    Raises:
        FranklinError: one is not.

    """
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


def networks(experiment: str, overrides: Sequence[str], settings: Settings) -> dict[CandidateName, Settings]:
    """Compose each network that takes part: those that suit the data and the strategy.

    Args:
        experiment: as the person has said it.
        overrides: in full.
        settings: the contest's.

    Raises:
        FranklinError: one that is named in `contest.candidates` does not suit.

    """
    found: dict[CandidateName, Settings] = {}
    wanted = settings.contest.candidates
    for name in CANDIDATES:
        if name not in NETWORKS or name not in groups()["model"] or (wanted is not None and name not in wanted):
            continue
        try:
            composed = compose(experiment, [f"model={name}", *overrides])
            ranks_of(composed)
        except FranklinError as error:
            if wanted is not None:
                raise FranklinError(f"contest.candidates: {name} can't take part: {error}") from None
            continue
        found[name] = composed
    return found


def to_contest(
    settings: Settings, folder: Path, feature_set: str, entrants: Mapping[CandidateName, Settings]
) -> ContestRequest:
    """Ask for a contest in `folder`, in which these networks take part."""
    return ContestRequest(
        answer=folder / "contest.json",
        feature_set=feature_set,
        run_folder=folder,
        experiment=settings.experiment,
        seed=settings.seed,
        contest=settings.contest,
        split=settings.data.split,
        bootstrap=settings.tracking.bootstrap,
        cores=count_cores(),
        networks=[
            Entrant(name=name, train=to_train(each, folder / "networks" / name, feature_set, ranks_of(each), None))
            for name, each in entrants.items()
        ],
        spark=settings.spark,
        spark_fits=FIT_IN_SPARK,
    )
