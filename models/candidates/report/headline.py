"""The head of the report: the recommendation, what is given up, and the two candidates in numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from conf.selecting import Standing
from models.candidates.report.formats import counted, number, seconds, size
from models.candidates.report.leaderboard import portion
from models.candidates.report.naming import reveals
from models.candidates.report.view import View

_Price = tuple[str, Callable[[Standing], float | None], Callable[[float], str]]


@dataclass(frozen=True)
class Fact:
    """One thing of the recommended and of the best, and how they compare."""

    name: str
    recommended: str
    best: str
    compared: str


@dataclass(frozen=True)
class Headline:
    """What the head shows."""

    recommended: str
    best: str
    alone: bool
    why: str
    given_up: str
    choice: str
    refused: list[tuple[str, str]]
    facts: list[Fact]


def headline(view: View) -> Headline:
    """Say who is recommended and why; of a blind contest in words made of numbers, since others' would name names."""
    findings, recommendation = view.findings, view.findings.recommendation
    blind = view.names.blind
    refused = [
        (view.names[name], "it breaks a limit" if blind and reveals(limit) else limit)
        for name, limit in recommendation.refused.items()
    ]
    return Headline(
        recommended=view.names[recommendation.candidate],
        best=view.names[recommendation.best],
        alone=recommendation.candidate == recommendation.best,
        why=_why(view) if blind else recommendation.why,
        given_up=_given_up(view) if blind else recommendation.given_up,
        choice="" if findings.choice is None else _choice(view),
        refused=sorted(refused) if blind else refused,
        facts=_facts(view),
    )


def when(at: str) -> str:
    """A time for people, in UTC."""
    moment = datetime.fromisoformat(at)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def _choice(view: View) -> str:
    choice = view.findings.choice
    if choice is None:
        return ""
    same = choice.candidate == view.findings.recommendation.candidate
    return (
        f"{view.names[choice.candidate]} was chosen on {when(choice.at)}, when names were hidden and it was called "
        f"{choice.label}. It is {'also' if same else 'not'} the one that is recommended."
    )


def _why(view: View) -> str:
    rec, best = view.recommended, view.best
    name = view.names.say(rec.candidate)
    if rec is best:
        return (
            f"{name[0].upper()}{name[1:]} is recommended: it is the best, and nobody simpler is within one standard "
            "error of it."
        )
    against = (
        f"{view.names.say(best.candidate)} ({view.findings.title} {_metric(view, rec)} against {_metric(view, best)})"
    )
    if view.as_good(rec):
        return (
            f"{name[0].upper()}{name[1:]} is recommended: it is the simplest within one standard error of the best, "
            f"{against}."
        )
    if rec.behind_error is None:
        return (
            f"{name[0].upper()}{name[1:]} is recommended: one fold tells nothing of noise, and it is the simplest. "
            f"The best is {against}."
        )
    return (
        f"{name[0].upper()}{name[1:]} is recommended: the ladder leads to it, the simplest first and limits kept. The "
        f"best is {against}."
    )


def _given_up(view: View) -> str:
    rec = view.recommended
    if rec is view.best or rec.behind is None:
        return "nothing."
    known = f"with a standard error of {view.metric(rec.behind_error, 1)}" if rec.behind_error else "of one fold"
    return f"{view.metric(rec.behind, 1)} {view.findings.title}, {known}."


def _metric(view: View, standing: Standing) -> str:
    return "" if standing.mean is None else view.metric(standing.mean)


def _facts(view: View) -> list[Fact]:
    rec, best = view.recommended, view.best
    metric = view.findings.metric
    facts = [Fact(f"{view.findings.title} over folds", _metric(view, rec), _metric(view, best), "")]
    if metric in rec.test and metric in best.test:
        facts.append(
            Fact(
                f"{view.findings.title} on test", view.interval(rec.test[metric]), view.interval(best.test[metric]), ""
            )
        )
    prices: list[_Price] = [
        ("processor time of the fit", lambda one: one.processor_seconds, seconds),
        ("peak memory of the fit", lambda one: one.peak_memory_bytes, size),
        ("size on disk", lambda one: one.size_bytes, size),
        ("one row, 50th percentile", lambda one: one.latency.one_p50_seconds if one.latency else None, seconds),
        ("one row, 99th percentile", lambda one: one.latency.one_p99_seconds if one.latency else None, seconds),
        (
            "a row in a batch, 99th percentile",
            lambda one: one.latency.batch_p99_seconds if one.latency else None,
            seconds,
        ),
    ]
    for name, value, text in prices:
        mine, other = value(rec), value(best)
        if mine is not None and other is not None:
            facts.append(Fact(name, text(mine), text(other), _times(mine, other)))
    return facts


def _times(mine: float, other: float) -> str:
    if mine <= 0 or other <= 0 or mine == other:
        return ""
    ratio = max(mine, other) / min(mine, other)
    if ratio < 1.05:  # noqa: PLR2004 -- that is the same, for a person
        return "alike"
    return f"{number(ratio, 2)} times {'less' if mine < other else 'more'}"


def board_says(view: View) -> list[str]:
    """Say what the leaderboard shows."""
    findings, ranked = view.findings, view.ranked
    folds = max((len(standing.folds) for standing in ranked), default=0)
    fallen = f"; {counted(len(view.fallen), 'other')} fell out" if view.fallen else ""
    short = sum(bool(portion(standing)) for standing in ranked)
    cut = f", {short} of them from a share of those that stands below the name, for want of time" if short else ""
    opening = (
        f"{counted(len(ranked), 'candidate')} learned from the same rows in the same "
        f"{counted(folds, 'fold')}{cut}{fallen}. The column {findings.title} is the average over folds with its "
        f"95 % interval (Student's t), and {'higher' if view.sign > 0 else 'lower'} is better; "
        "test rows were scored once, by the final fits; the interval there is by bootstrap of "
        f"{findings.intervals_by}."
    )
    said = [opening]
    alike = [one.candidate for one in ranked if view.as_good(one) and one is not view.best]
    best = view.names.say(findings.recommendation.best)
    if alike:
        said.append(
            f"{best[0].upper()}{best[1:]} is best. Within one standard error of it: {view.names.listed(alike)}."
        )
    else:
        said.append(f"{best[0].upper()}{best[1:]} is best, and nobody else is within one standard error of it.")
    return said
