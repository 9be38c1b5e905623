"""The part on how it was done: rows, folds, seeds, budget, machine and settings."""

from conf.selecting import Standing, Value
from models.candidates.report.formats import counted, number, plain, seconds
from models.candidates.report.headline import when
from models.candidates.report.naming import reveals
from models.candidates.report.view import View


def facts(view: View) -> list[tuple[str, str]]:
    """Name and value of everything that one would have to know to do it again."""
    findings, contest = view.findings, view.findings.contest
    rows = ", ".join(f"{count:,} {split}" for split, count in findings.rows.items())
    limits = [
        f"{seconds(contest.limits.latency_seconds, plain)} for a row" if contest.limits.latency_seconds else "",
        f"{contest.limits.size} on disk" if contest.limits.size else "",
        f"{seconds(contest.limits.processor_seconds, plain)} of processor time for a fit"
        if contest.limits.processor_seconds
        else "",
    ]
    found = [
        ("Experiment", findings.experiment),
        ("Task", f"{findings.task}, judged by {findings.title}"),
        ("Rows", f"{rows}; {counted(findings.columns, 'column')}"),
        ("Folds", findings.folds_by),
        ("Intervals", f"95 %; over folds by Student's t, on test by bootstrap of {findings.intervals_by}"),
        ("Sizes", f"{', '.join(f'{plain(100 * share)} %' for share in contest.sizes)} of the rows, then all of them"),
        ("Seed", str(findings.seed)),
        (
            "Budget",
            f"{seconds(contest.budget_seconds, plain)} for all fits, {seconds(contest.fit_seconds, plain)} for each",
        ),
        ("Took", seconds(findings.seconds)),
        ("Memory", f"{contest.memory} for one fit at most, beside the rows"),
        ("Trials", f"{contest.trials} at most for each candidate, beside its own settings"),
        ("Limits", ", ".join(filter(None, limits)) or "none"),
        ("Engine", findings.engine),
        ("Machine", findings.machine),
        ("Made", when(findings.created)),
    ]
    return [pair for pair in found if not (view.names.blind and reveals(pair[1]))]


def settings(view: View) -> list[tuple[str, str]]:
    """Settings of each candidate that has been fitted; of a blind contest none, since they would say who is who."""
    if view.names.blind:
        return []
    return [
        (
            view.names[one.candidate],
            _weights(view, one) if one.members else _settings(one),
        )
        for one in view.ranked
    ]


def _settings(standing: Standing) -> str:
    return ", ".join(f"{name} = {_text(value)}" for name, value in standing.values.items()) or "its own"


def _weights(view: View, standing: Standing) -> str:
    """What an ensemble is made of, the heaviest first."""
    heaviest = sorted(standing.members.items(), key=lambda each: -each[1])
    return " + ".join(f"{number(weight)} \N{MULTIPLICATION SIGN} {view.names[name]}" for name, weight in heaviest)


def _text(value: Value) -> str:
    if isinstance(value, float):
        return number(value)
    return " \N{MULTIPLICATION SIGN} ".join(str(part) for part in value) if isinstance(value, list) else str(value)
