"""The leaderboard: a line for each candidate, the best first, those that fell out last."""

from dataclasses import dataclass

from conf.contests import CANDIDATES
from conf.selecting import Findings, Standing
from models.candidates.report.formats import seconds, size
from models.candidates.report.naming import reveals
from models.candidates.report.view import View


@dataclass(frozen=True)
class Line:
    """A candidate as the terminal and the report show it; empty texts: there is no such number.

    Attributes:
        place: 1 is the best; None: it fell out.
        label: its title, or the letter that hides it.
        ladder: place in order of simplicity among those who took part, 1 the simplest; None: hidden.
        metric: main metric, mean over folds.
        behind: mean gap to the best with its standard error; empty for the best.
        test: main metric on test with its 95 % interval.
        processor: processor-seconds of the final fit.
        memory: peak memory of the final fit.
        size: on disk.
        one_p50: latency of one row, as the next ones.
        one_p99: at the 99th percentile.
        batch_p50: a row in a batch.
        batch_p99: a row in a batch.
        rows: share of the rows that time was for; empty: all.
        mark: recommended, best, chosen, as good as the best, or nothing.
        failure: why it fell out; empty: it did not.

    """

    place: int | None
    label: str
    ladder: int | None
    metric: str
    behind: str
    test: str
    processor: str
    memory: str
    size: str
    one_p50: str
    one_p99: str
    batch_p50: str
    batch_p99: str
    rows: str
    mark: str
    failure: str


def leaderboard(findings: Findings) -> list[Line]:
    """Give the lines, the best first; equal ones in order of simplicity; those that fell out at the end."""
    view = View(findings)
    placed = [(place, standing) for place, standing in enumerate(view.ranked, start=1)]
    return [_line(view, standing, place) for place, standing in placed] + [
        _line(view, standing, None) for standing in view.fallen
    ]


def portion(standing: Standing) -> str:
    """Share of the rows of each fold that a candidate was judged with, such as `4 % of rows`; empty: all."""
    if standing.mean is None or standing.share >= 1:
        return ""
    return f"{min(99, max(1, round(100 * standing.share)))} % of rows"


def failure(view: View, standing: Standing) -> str:
    """Why a candidate fell out, unless that would say who it is."""
    if standing.failure is None:
        return "" if standing.mean is not None else "no fold was fitted within the budget"
    if view.names.blind and reveals(standing.failure):
        return "why is hidden until the choice, since it would say who it is"
    return standing.failure


def _line(view: View, standing: Standing, place: int | None) -> Line:
    entered = sorted((one.candidate for one in view.findings.standings), key=CANDIDATES.index)
    latency, test = standing.latency, standing.test.get(view.findings.metric)
    times = (
        ("",) * 4
        if latency is None
        else tuple(
            "" if value is None else seconds(value)
            for value in (
                latency.one_p50_seconds,
                latency.one_p99_seconds,
                latency.batch_p50_seconds,
                latency.batch_p99_seconds,
            )
        )
    )
    return Line(
        place=place,
        label=view.names[standing.candidate],
        ladder=None if view.names.blind else entered.index(standing.candidate) + 1,
        metric="" if standing.mean is None else view.metric(standing.mean),
        behind=_behind(view, standing),
        test="" if test is None else view.interval(test),
        processor="" if standing.processor_seconds is None else seconds(standing.processor_seconds),
        memory="" if standing.peak_memory_bytes is None else size(standing.peak_memory_bytes),
        size="" if standing.size_bytes is None else size(standing.size_bytes),
        one_p50=times[0],
        one_p99=times[1],
        batch_p50=times[2],
        batch_p99=times[3],
        rows=portion(standing),
        mark=", ".join(_marks(view, standing)),
        failure=failure(view, standing),
    )


def _behind(view: View, standing: Standing) -> str:
    if standing.behind is None or standing.candidate == view.findings.recommendation.best:
        return ""
    error = "" if standing.behind_error is None else f" ± {view.metric(standing.behind_error, 1)}"
    return view.metric(standing.behind, 1) + error


def _marks(view: View, standing: Standing) -> list[str]:
    findings = view.findings
    if standing.mean is None:
        return []
    marks = []
    if findings.choice is not None and findings.choice.candidate == standing.candidate:
        marks.append("chosen")
    if standing.candidate == findings.recommendation.candidate:
        marks.append("recommended")
    if standing.candidate == findings.recommendation.best:
        marks.append("best")
    if not marks and view.as_good(standing):
        marks.append("as good as the best")
    return marks
