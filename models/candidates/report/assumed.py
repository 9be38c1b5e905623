"""The part on assumptions: what each family rests on, and whether it does."""

from dataclasses import dataclass
from pathlib import Path

from conf.contests import Family
from conf.selecting import Finding
from models.candidates.report.figures import inlined, telling
from models.candidates.report.formats import counted, listed, number, p_value
from models.candidates.report.naming import reveals
from models.candidates.report.view import View

VERDICTS = ("broken", "doubtful", "unknown", "holds")
FAMILIES: dict[Family, str] = {
    "baseline": "baselines",
    "linear": "linear models",
    "tree": "trees and forests",
    "boosting": "boosted trees",
    "network": "networks",
    "ensemble": "the ensemble",
}


@dataclass(frozen=True)
class Card:
    """One assumption, as looked at."""

    assumption: str
    verdict: str
    families: str
    whose: str
    test: str
    numbers: list[str]
    says: str
    advice: str
    figure: str


@dataclass(frozen=True)
class Assumed:
    """What the part shows."""

    says: list[str]
    families: list[tuple[str, list[tuple[str, str]]]]
    cards: list[Card]
    holding: list[Card]


def assumed(view: View, folder: Path) -> Assumed:
    """Give a card for each finding, the broken ones first; candidates of whom the same is said share one.

    Those that say who somebody is wait for the choice.
    """
    known = sorted(view.findings.assumptions, key=lambda finding: VERDICTS.index(finding.verdict))
    open_ones = [finding for finding in known if not (view.names.blind and _telling(finding, folder))]
    alike: dict[tuple[str | None, ...], list[Finding]] = {}
    for finding in open_ones:
        alike.setdefault(
            (finding.assumption, finding.verdict, finding.says, finding.advice, finding.figure), []
        ).append(finding)
    cards = [_card(view, group, folder, f"assumed{place}") for place, group in enumerate(alike.values())]
    if not known:
        return Assumed(["No assumption was looked at."], [], [], [])
    opening = (
        f"{counted(len(known), 'check')} of assumptions in the held-out rows. On many rows every p-value is small, so "
        "the size of the effect decides."
    )
    said = [opening, " ".join(_of(open_ones, verdict) for verdict in VERDICTS)]
    if hidden := len(known) - len(open_ones):
        said.append(
            f"{counted(hidden, 'finding')} and all advice are hidden until the choice: they would say who is who."
        )
    elif view.names.blind:
        said.append("Advice is hidden until the choice: it would say who is who.")
    holding = [card for card in cards if card.verdict == "holds"]
    failing = [card for card in cards if card.verdict != "holds"]
    return Assumed(said, [] if view.names.blind else _families(known), failing, holding)


def _of(findings: list[Finding], verdict: str) -> str:
    of = list(dict.fromkeys(finding.assumption for finding in findings if finding.verdict == verdict))
    return f"{verdict.capitalize()}: {listed(of)}." if of else ""


def _families(known: list[Finding]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Assumptions and verdicts of each family, the worst verdict of each first."""
    found = []
    for family, title in FAMILIES.items():
        verdicts: dict[str, str] = {}
        for finding in known:
            if family in finding.families:
                verdicts.setdefault(finding.assumption, finding.verdict)
        if verdicts:
            found.append((title, list(verdicts.items())))
    return found


def _telling(finding: Finding, folder: Path) -> bool:
    texts = (finding.assumption, finding.says, finding.test, finding.effect_name)
    return (
        finding.candidate is not None
        or any(reveals(text) for text in texts)
        or (finding.figure is not None and telling(folder, finding.figure))
    )


def _card(view: View, group: list[Finding], folder: Path, mark: str) -> Card:
    finding, blind = group[0], view.names.blind
    families = [family for family in FAMILIES if any(family in one.families for one in group)]
    whose = [view.names[one.candidate] for one in group if one.candidate is not None]
    numbers = []
    if finding.effect is not None and len(group) == 1:
        numbers.append(f"{finding.effect_name}: {number(finding.effect)}")
    if finding.statistic is not None and len(group) == 1:
        numbers.append(f"statistic {number(finding.statistic)}")
    if finding.p_value is not None and len(group) == 1:
        numbers.append(p_value(finding.p_value))
    figure = "" if finding.figure is None else inlined(folder, finding.figure, finding.says, mark)
    return Card(
        assumption=finding.assumption,
        verdict=finding.verdict,
        families="" if blind else listed([FAMILIES[family] for family in families]),
        whose=listed(whose),
        test=finding.test,
        numbers=numbers,
        says=finding.says,
        advice="" if blind else finding.advice,
        figure=figure,
    )
