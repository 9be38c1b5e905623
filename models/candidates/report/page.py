"""The page: all parts in one HTML file that needs nothing else."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from conf.contests import Family
from conf.selecting import REPORT, Findings, Segments, Standing
from models.candidates.report import bars, headline, method, naming
from models.candidates.report.assumed import assumed
from models.candidates.report.figures import inlined, telling
from models.candidates.report.formats import number, percent
from models.candidates.report.leaderboard import Line, leaderboard, portion
from models.candidates.report.learning import learning
from models.candidates.report.prices import prices
from models.candidates.report.reasons import reasons
from models.candidates.report.seasons import seasons
from models.candidates.report.tradeoffs import tradeoffs
from models.candidates.report.view import View

HERE = Path(__file__).parent
KINDS: dict[Family, str] = {
    "baseline": "baseline",
    "linear": "linear",
    "tree": "trees",
    "boosting": "boosted trees",
    "network": "network",
    "ensemble": "ensemble",
}


def write(findings: Path) -> Path:
    """Make the report of `findings.json` beside it, and give its path.

    Figures that the findings name are taken from the same folder. Of a blind contest that waits for its choice, nothing
    in the page says who is who; when the choice is in the findings, the page made anew shows the names.
    """
    view = View(Findings.model_validate_json(findings.read_text(encoding="utf-8")))
    path = findings.parent / REPORT
    path.write_text(_rendered(view, findings.parent), encoding="utf-8")
    return path


def _rendered(view: View, folder: Path) -> str:
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": number, "percent": percent, "when": headline.when, "titled": naming.titled}
    findings = view.findings
    fallen = leaderboard(findings)[len(view.ranked) :]
    further = [note for note in findings.notes if not any(line.failure and line.failure in note for line in fallen)]
    told = [note for note in further if not (view.names.blind and naming.reveals(note))]
    return environment.get_template("page.html.j2").render(
        view=view,
        findings=findings,
        blind=view.names.blind,
        head=headline.headline(view),
        board_says=headline.board_says(view),
        board=_board(view),
        shares=any(portion(each) for each in view.ranked),
        scale=bars.scale(view),
        learning=learning(view),
        seasons=seasons(view),
        prices=prices(view),
        tradeoffs=tradeoffs(view),
        assumed=assumed(view, folder),
        reasons=reasons(view),
        segments=_segments(view, folder),
        rules=sorted(findings.rules, key=lambda rule: -rule.lift),
        sets=findings.sets,
        fallen=fallen,
        notes=told,
        hidden_notes=len(further) - len(told),
        method=method.facts(view),
        settings=method.settings(view),
    )


def _board(view: View) -> list[tuple[Line, str, str, str, str]]:
    """Lines of those with a place, each with its role, family, bar and former letter."""
    lines = leaderboard(view.findings)[: len(view.ranked)]
    return [
        (line, view.role(one.candidate), _kind(view, one), bars.bar(view, one), view.names.before(one.candidate))
        for line, one in zip(lines, view.ranked, strict=True)
    ]


def _kind(view: View, standing: Standing) -> str:
    return "" if view.names.blind else KINDS[standing.family]


def _segments(view: View, folder: Path) -> list[tuple[Segments, str]]:
    """Segments with their figures; they are about the rows, not about candidates."""
    found: list[tuple[Segments, str]] = []
    for place, segments in enumerate(view.findings.segments):
        figure = ""
        if not (view.names.blind and telling(folder, segments.figure)):
            figure = inlined(folder, segments.figure, f"Segments of {segments.column}", f"segments{place}")
        found.append((segments, figure))
    return found
