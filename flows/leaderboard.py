"""The leaderboard at the end of a contest: how good each candidate is, what it takes, and which one to take."""

from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from conf.exchange import Estimate
from conf.selecting import REPORT, Findings
from flows.display import say
from flows.outcome import Outcome, Place, then
from models.candidates.report.formats import seconds, size

DIGITS = 4  # that say something, of a metric
SMALLEST, LARGEST = 1e-4, 1e6  # beyond which digits are counted, not read
NOTHING = "-"  # where there is no figure


def print_outcome(found: Outcome, console: Console, mlflow: str | None) -> None:
    """Print both tables, the recommendation, and where to look (`mlflow`: a server's address)."""
    console.print()
    judged = f"{found.rows['train'] + found.rows['validation']:,} rows in folds, {found.rows['test']:,} test rows"
    title = f"{found.experiment}: {found.metric} of {len(found.standings)} candidates, engine {found.engine}; {judged}"
    console.print(title, style="bold", highlight=False, markup=False)
    console.print(_quality(found))
    console.print(Text(f"Intervals on test: bootstrap of {found.intervals_by}.", style="dim"), soft_wrap=True)
    console.print(_costs(found))
    for place in found.standings:
        if place.failure:
            say(f"{place.candidate} fell out: {place.failure}", console, style="dim")
    console.print(Text(found.why, style="bold"))
    if found.given_up:
        console.print(Text(f"Given up: {found.given_up}"))
    console.print()
    where = f"{mlflow}/#/runs/{found.run_id}" if mlflow else f"run {found.run_id}; `franklin up` starts the MLflow UI"
    for name, text in (("report", found.report), ("look", where), ("then", found.then), ("logs", found.run_folder)):
        console.print(Text(f"{name:<6} {text}"), soft_wrap=True)


def say_chosen(findings: Findings, folder: Path, console: Console) -> None:
    """Print who was behind each letter, and which one was chosen."""
    choice, said = findings.choice, findings.recommendation
    for name, letter in sorted(findings.labels.items(), key=lambda each: (len(each[1]), each[1])):
        marks = [word for word, who in (("recommended", said.candidate), ("best", said.best)) if who == name]
        marks = [*(["chosen"] if choice is not None and choice.candidate == name else []), *marks]
        console.print(Text(f"{letter:<2} {name:<20} {', '.join(marks)}".rstrip()))
    console.print(Text(said.why))
    for word, text in (("report", folder / REPORT), ("then", then(findings))):
        console.print(Text(f"{word:<6} {text}"), soft_wrap=True)


def _table(*headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    for heading in headings:
        left = heading in ("candidate", "")
        # A column that has no room is folded: no figure is cut.
        table.add_column(heading, justify="left" if left else "right", overflow="fold", min_width=len(heading) + 1)
    return table


def _quality(found: Outcome) -> Table:
    table = _table("candidate", "folds", "error", "on test", "95 % interval", "")
    for place in found.standings:
        test = place.test.get(found.metric)
        figures = (number(place.mean), number(place.error), *_test(test))
        table.add_row(
            place.candidate, *(f" {each}" for each in figures), f" {_mark(found, place)}", style=_style(found, place)
        )
    return table


def _costs(found: Outcome) -> Table:
    table = _table("candidate", "rows", "processor", "memory", "on disk", "row p50", "row p99")
    for place in found.standings:
        rows = NOTHING if place.failure else f"{100 * place.share:.3g} %"
        sizes = (place.peak_memory_bytes, place.size_bytes)
        latencies = (place.latency_p50_seconds, place.latency_p99_seconds)
        figures = (rows, _seconds(place.processor_seconds), *map(_size, sizes), *map(_seconds, latencies))
        table.add_row(place.candidate, *(f" {each}" for each in figures), style=_style(found, place))
    return table


def _style(found: Outcome, place: Place) -> str:
    return "bold" if place.candidate == found.recommendation else ""


def _test(test: Estimate | None) -> tuple[str, str]:
    if test is None:
        return NOTHING, NOTHING
    return number(test.value), f"{number(test.low)} to {number(test.high)}"


def _mark(found: Outcome, place: Place) -> str:
    if place.failure:
        return "fell out"
    return {found.best: "best", found.recommendation: "recommended"}.get(place.candidate, "")


def number(value: float | None) -> str:
    """A metric with as many digits as say something."""
    if value is None:
        return NOTHING
    if value and not SMALLEST <= abs(value) < LARGEST:
        return f"{value:.2e}"
    decimals = DIGITS if abs(value) < 1 else max(0, DIGITS + 1 - len(f"{abs(value):.0f}"))
    return f"{value:,.{decimals}f}"


def _size(count: int | None) -> str:
    return NOTHING if count is None else size(count)


def _seconds(value: float | None) -> str:
    return NOTHING if value is None else seconds(value)
