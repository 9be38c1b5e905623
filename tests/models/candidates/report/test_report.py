"""The report is one page that needs nothing else, shows everybody, and hides everybody who is to be hidden."""

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from conf.selecting import Findings
from models.candidates.report import TITLES, leaderboard, write
from models.candidates.report.learning import learning
from models.candidates.report.naming import reveals, titled
from models.candidates.report.reasons import reasons
from models.candidates.report.view import View
from tests.models.candidates.findings import binary, regression, store
from tests.models.candidates.standings import FLIGHTS

VOID = {"meta", "link", "br", "img", "hr", "input"}
KINDS = {
    "open": binary,
    "blind": lambda: binary(blind=True),
    "chosen": lambda: binary(blind=True, chosen="ridge"),
    "small": regression,
}


class Page(HTMLParser):
    """What is in a page: its elements, whether they are closed in order, and what it says."""

    def __init__(self, html: str) -> None:
        """Read all of it."""
        super().__init__()
        self.open: list[str] = []
        self.seen: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.said: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open."""
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Count."""
        self.seen[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        """Close what was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep what is read."""
        if not self.open or self.open[-1] not in ("style", "script"):
            self.said.append(data)

    @property
    def text(self) -> str:
        """All that is read."""
        return re.sub(r"\s+", " ", " ".join(self.said))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("reports")
    return {name: write(store(make(), folder / name)).read_text(encoding="utf-8") for name, make in KINDS.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_whole(pages: dict[str, str], kind: str) -> None:
    page = Page(pages[kind])
    assert page.open == []
    assert page.seen["h1"] == 1
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert [name for name, count in Counter(ids).items() if count > 1] == []
    anchors = {value[1:] for _, name, value in page.attributes if name == "href" and value.startswith("#")}
    assert anchors <= set(ids)


@pytest.mark.parametrize("kind", KINDS)
def test_it_needs_nothing_else(pages: dict[str, str], kind: str) -> None:
    page = Page(pages[kind])
    assert "http:" not in pages[kind]
    assert "https:" not in pages[kind]
    assert not any(tag in page.seen for tag in ("link", "img", "iframe", "object"))
    linked = [value for _, name, value in page.attributes if name in ("href", "src", "xlink:href")]
    assert all(value.startswith(("#", "data:image/png;base64,")) for value in linked)
    assert "@import" not in pages[kind]
    assert set(re.findall(r"url\((.)", pages[kind])) <= {"#"}


def test_curves_of_few_rows_are_called_a_hint() -> None:
    hints = [any("as a hint" in said for said in learning(View(found)).says) for found in (regression(), binary())]
    assert hints == [True, False]


def test_who_was_judged_with_fewer_rows_says_so(tmp_path: Path) -> None:
    found = KINDS["open"]()
    first, *others = found.standings
    few = first.model_copy(update={"share": 0.04})
    page = Page(write(store(found.model_copy(update={"standings": [few, *others]}), tmp_path)).read_text("utf-8"))
    assert page.text.count("4 % of rows") == 1
    assert "1 of them from a share of those" in page.text
    assert "% of rows" not in Page(write(store(found, tmp_path / "all")).read_text("utf-8")).text


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_have_words(pages: dict[str, str], kind: str) -> None:
    named = [value for tag, name, value in Page(pages[kind]).attributes if (tag, name) == ("svg", "aria-label")]
    assert len(named) > 5
    assert all(named)


@pytest.mark.parametrize("kind", KINDS)
def test_no_number_is_missing_or_not_one(pages: dict[str, str], kind: str) -> None:
    assert re.search(r"\b(nan|inf|None|Undefined)\b", pages[kind]) is None


def test_everybody_is_in_it(pages: dict[str, str]) -> None:
    for kind in ("open", "chosen"):
        text = Page(pages[kind]).text
        assert [name for name in FLIGHTS if TITLES[name] not in text] == []
    text = Page(pages["open"]).text
    for said in ("LightGBM is recommended", "did not end within 240 s", "design matrix is singular", "num_leaves = 63"):
        assert said in text
    for part in ("Leaderboard", "What more rows would bring", "Over calendar time", "What wrong decisions cost"):
        assert part in text
    for said in ("by bootstrap of whole days, 61 of them.", "intervals by bootstrap of whole days. False"):
        assert said in text
    assert "of the periods from 28 Oct, which have fewer than six days, they are of single rows" in text
    for part in ("Trade-offs", "Assumptions", "Explanations", "Segments and rules", "How it was done"):
        assert part in text


def test_nobody_is_named_in_a_blind_one(pages: dict[str, str]) -> None:
    html = pages["blind"]
    for word in (*TITLES, *TITLES.values()):
        assert re.search(rf"(?<![A-Za-z]){re.escape(word)}(?![A-Za-z])", html, re.IGNORECASE) is None, word
    for word in ("lightgbm", "xgboost", "resnet", "realmlp", "tabm", "regression", "forest", "boost"):
        assert word not in html.lower()
    for word in (
        "linear",
        "tree",
        "trees",
        "boosting",
        "network",
        "networks",
        "baseline",
        "num_leaves",
        "coefficients",
    ):
        assert re.search(rf"(?<![A-Za-z]){word}(?![A-Za-z])", html, re.IGNORECASE) is None, word
    text = Page(html).text
    assert "Names are hidden." in text
    assert "why is hidden until the choice" in text
    assert "2 notes are hidden" in text


def test_a_blind_one_has_every_letter(pages: dict[str, str]) -> None:
    text = Page(pages["blind"]).text
    letters = binary(blind=True).labels
    assert f"Candidate {letters['lightgbm']} is recommended" in text
    assert [letter for letter in letters.values() if f" {letter} " not in text] == []


def test_a_choice_shows_the_names(pages: dict[str, str]) -> None:
    text = Page(pages["chosen"]).text
    letter = binary(blind=True).labels["ridge"]
    assert f"Ridge was chosen on 28 November 2026, 14:02 UTC, when names were hidden and it was called {letter}" in text
    assert "It is not the one that is recommended" in text


def test_figures_of_the_run_folder_lie_in_the_page(pages: dict[str, str], tmp_path: Path) -> None:
    assert "rows: shift.svg" in pages["open"]
    assert "boosting: calibration_lightgbm.svg" in pages["open"]
    assert "rows: shift.svg" in pages["blind"]
    assert "purl.org" not in pages["open"]
    assert "outside.png" not in pages["open"]
    findings = store(binary(), tmp_path)
    (tmp_path / "shift.svg").unlink()
    assert "The figure shift.svg is not in the run folder." in write(findings).read_text(encoding="utf-8")


def test_what_a_person_named_cannot_break_the_page(tmp_path: Path) -> None:
    findings = binary().model_copy(update={"experiment": "<b>&", "notes": ["<script>alert(1)</script>"]})
    assert Page(write(store(findings, tmp_path)).read_text(encoding="utf-8")).seen["script"] == 1


def test_it_is_made_of_findings_alone(tmp_path: Path) -> None:
    path = store(binary(), tmp_path)
    once = write(path).read_text(encoding="utf-8")
    assert write(path).read_text(encoding="utf-8") == once


def test_the_leaderboard_has_the_best_first_and_the_fallen_last() -> None:
    lines = leaderboard(binary())
    assert [line.label for line in lines[:2]] == ["TabM", "LightGBM"]
    assert [line.mark for line in lines[:3]] == ["best", "recommended", ""]
    assert [line.place for line in lines] == [*range(1, 18), None, None]
    assert {line.label for line in lines[-2:]} == {"FT-Transformer", "Linear regression"}
    assert all(line.failure and not line.metric for line in lines[-2:])
    first = lines[1]
    assert (first.ladder, first.processor, first.size, first.one_p99) == (13, "14.0 s", "1.62 MB", "1.19 ms")
    assert re.fullmatch(r"0\.\d{3}", first.metric)
    assert re.fullmatch(r"0\.\d{4} ± 0\.\d{4}", first.behind)
    assert re.fullmatch(r"0\.\d{3} \(0\.\d{3} to 0\.\d{3}\)", first.test)


def test_a_lower_loss_is_first() -> None:
    lines = leaderboard(regression())
    assert [line.label for line in lines][-1] == "Mean"
    assert lines[0].mark == "best"


def test_a_blind_leaderboard_has_letters_alone() -> None:
    findings = binary(blind=True)
    lines = leaderboard(findings)
    assert {line.label for line in lines} == set(findings.labels.values())
    assert not any(reveals(str(line)) for line in lines)
    assert {line.ladder for line in lines} == {None}
    assert [line.label for line in lines[-2:]] == sorted(line.label for line in lines[-2:])
    shown = leaderboard(binary(blind=True, chosen="ridge"))
    assert next(line.mark for line in shown if line.label == "Ridge") == "chosen"


def test_words_that_tell() -> None:
    for text in ("LightGBM died", "random_forest", "a Random forest", "num_leaves=63", "3 epochs", "the mean of all"):
        assert reveals(text), text
    for text in ("size 202 MB is above limits.size=50m", "did not end within 240 s", "meaning", "bridge", "streets"):
        assert not reveals(text), text
    assert (
        titled("lightgbm is ahead of random_forest, in the mean") == "LightGBM is ahead of Random forest, in the mean"
    )


def test_findings_without_anything_but_standings_make_a_report(tmp_path: Path) -> None:
    bare = {"curve": {"rows": [], "values": [], "law": None}, "periods": [], "threshold": None, "test": {}}
    bare |= {"latency": None, "size_bytes": None, "processor_seconds": None, "low": None, "high": None}
    small = regression()
    standings = [one.model_dump() | bare for one in small.standings]
    empty = Findings.model_validate(small.model_dump() | {"standings": standings, "explanations": []})
    page = Page(write(store(empty, tmp_path)).read_text(encoding="utf-8"))
    assert page.open == []
    assert "Trade-offs" not in page.text


def test_who_is_too_slow_for_a_99th_percentile_has_none_and_is_said(tmp_path: Path) -> None:
    found = binary()
    forest = next(one for one in found.standings if one.candidate == "random_forest")
    assert forest.latency is not None
    few = forest.latency.model_copy(update={"one_p99_seconds": None, "batch_p99_seconds": None})
    slow = forest.model_copy(update={"latency": few})
    standings = [slow if one is forest else one for one in found.standings]
    findings = found.model_copy(update={"standings": standings})
    line = next(line for line in leaderboard(findings) if line.label == "Random forest")
    assert (line.one_p50, line.one_p99, line.batch_p99) == ("21.0 ms", "", "")
    text = Page(write(store(findings, tmp_path)).read_text(encoding="utf-8")).text
    assert "Too slow for a 99th percentile, and not in the picture: Random forest." in text
    assert "21.0 ms \N{EN DASH}" in " ".join(text.split())


def test_of_who_leans_on_no_column_no_flat_pictures_are_drawn() -> None:
    found = regression()
    (line,) = found.explanations
    flat = [weight.model_copy(update={"value": 0.0, "error": 0.0}) for weight in line.importance]
    mean = line.model_copy(update={"candidate": "mean", "importance": flat, "coefficients": []})
    told = reasons(View(found.model_copy(update={"explanations": [line, mean]})))
    by_label = {one.label: one for one in (*told.full, *told.folded)}
    drawn, idle = by_label["Linear regression"], by_label["Mean"]
    assert drawn.importance
    assert drawn.dependence
    assert (idle.importance, idle.more, idle.dependence) == ("", "", [])
    assert "leans on no column" in idle.says


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_is_said_not_to_be_compared_who_was(kind: str, pages: dict[str, str]) -> None:
    assert "no two sizes in common with anybody else" not in pages[kind]
