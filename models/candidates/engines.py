"""Who takes part, and where each one's fits are done."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

import psutil

from conf.contests import CandidateName, Contest
from conf.data import Task
from conf.errors import FranklinError
from conf.manifest import Manifest
from conf.selecting import ContestRequest
from conf.spark import ConnectSpark
from models.candidates import local_candidates
from models.candidates.candidate import Candidate
from models.candidates.ensemble import Ensemble
from models.candidates.fits import Fits, LocalFits
from models.candidates.inspark import SparkFits
from models.candidates.networks import NetworkCandidate
from models.candidates.rows import Columns, Rows

# Those that `spark_jobs.fitting` fits; baselines take no longer here, and models may not import what is there.
IN_SPARK: frozenset[CandidateName] = frozenset(
    (
        "linear_regression",
        "logistic_regression",
        "ridge",
        "lasso",
        "decision_tree",
        "random_forest",
        "gradient_boosting",
        "xgboost",
    )
)
AT_ONCE, MOST_AT_ONCE = "at_once", 4  # a file in the run folder, and the most fits at a time
COPIES = 2  # of the rows that a fit holds, at least: those it learns from and what its library makes of them
NUMBER_BYTES, ROW_BYTES = 4, 16  # of a number or code, and of label and place


def in_spark(task: Task, *, connect: bool = False) -> frozenset[CandidateName]:
    """Those that Spark fits: gradient boosting tells two classes apart there, no more.

    XGBoost asks the session for a SparkContext, which one of Spark Connect does not have.
    """
    absent: set[CandidateName] = {"gradient_boosting"} if task == "multiclass" else set()
    return IN_SPARK - absent - ({"xgboost"} if connect else set())


def everyone(request: ContestRequest) -> list[Candidate]:
    """All that there are: this machine's libraries', the networks of the request, and what is made of both."""
    return [*local_candidates(), *map(NetworkCandidate, request.networks), Ensemble()]


def entrants(contest: Contest, every: Sequence[Candidate], columns: Columns, notes: list[str]) -> list[Candidate]:
    """Find the candidates that were named, or all, that suit the data; simplest first.

    Args:
        contest: names them.
        every: who there is.
        columns: of the rows.
        notes: gets who was named and does not take part.

    Raises:
        FranklinError: none does.

    """
    named = contest.candidates
    every = sorted(every, key=lambda each: each.simplicity)
    wanted = [each for each in every if named is None or each.name in named]
    found = [each for each in wanted if each.suits(columns)]
    if named is not None:
        unsuited = [each.name for each in wanted if each not in found]
        notes.extend(f"{name} does not suit these columns and this label ({columns.task})" for name in unsuited)
        absent = [name for name in named if name not in {each.name for each in every}]
        notes.extend(f"{name} did not take part: no request says how it is trained" for name in absent)
    if not found:
        raise FranklinError(
            f"contest.candidates: none of {', '.join(named or [])} suits a {columns.task} label of these columns; "
            "name others, or say contest.candidates=null"
        )
    return found


def engine_for(contest: Contest, manifest: Manifest, columns: Columns) -> Literal["local", "spark"]:
    """Say where to fit; `auto`: in Spark, if copies of the rows do not fit into the memory that a fit may take."""
    if contest.engine != "auto":
        return contest.engine
    rows = sum(manifest.splits[split].rows for split in ("train", "validation"))
    size = rows * (NUMBER_BYTES * columns.width + ROW_BYTES)
    return "spark" if COPIES * size > contest.memory_bytes else "local"


def at_once(request: ContestRequest) -> int:
    """How many fits run at a time: two that have a core each do more than one that has both, if memory is for both.

    A contest that goes on keeps the number that it began with, whatever memory is free by then: what fits are foretold
    to take depends on it, and so who is fitted on what.
    """
    told = request.run_folder / AT_ONCE
    if told.exists():
        return min(request.cores, int(told.read_text(encoding="utf-8")))
    room = psutil.virtual_memory().available // request.contest.memory_bytes
    count = max(1, min(request.cores, MOST_AT_ONCE, room))
    told.parent.mkdir(parents=True, exist_ok=True)
    unfinished = told.with_suffix(".part")
    unfinished.write_text(str(count), encoding="utf-8")
    unfinished.replace(told)
    return count


@contextmanager
def opened(
    request: ContestRequest,
    engine: Literal["local", "spark"],
    pool: Rows,
    test: Rows,
    candidates: Mapping[CandidateName, Candidate],
) -> Iterator[dict[CandidateName, Fits]]:
    """Give each candidate who does its fits; what Spark has not, fits here."""
    local: Fits = LocalFits(pool, test, candidates, request.run_folder, at_once(request))
    if engine == "local":
        yield dict.fromkeys(candidates, local)
        return
    there = in_spark(pool.columns.task, connect=isinstance(request.spark, ConnectSpark))
    with SparkFits(request.spark_fits, request, pool, test) as remote:
        yield {name: remote if name in there else local for name in candidates}
