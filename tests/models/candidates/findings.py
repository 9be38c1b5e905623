"""Findings as a contest leaves them: flights' delays with all 19 candidates, and a small regression."""

from pathlib import Path

import numpy as np

from conf.contests import CandidateName, Contest, Costs, Limits
from conf.selecting import (
    FINDINGS,
    Choice,
    Dependence,
    Explanation,
    Findings,
    ItemSet,
    Recommendation,
    Rule,
    Segments,
    Sketch,
    Standing,
    Weight,
)
from models.candidates.curves import curve, moves
from tests.models.candidates.standings import FLIGHTS, FOLDS, behind, made, near, standing
from tests.models.candidates.told import assumptions, explanation

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
BARE = Contest(
    name="default",
    candidates=None,
    engine="auto",
    folds=FOLDS,
    sizes=[0.037, 0.111, 0.333],
    budget_seconds=720,
    trials=6,
    fit_seconds=240,
    memory="4g",
    costs=None,
    limits=Limits(),
    blind=False,
    segments=[],
    rules=False,
)


def hidden(names: list[CandidateName], seed: int = 3) -> dict[str, str]:
    """Letters of candidates, in an order that says nothing."""
    letters = [chr(ord("A") + place) for place in np.random.default_rng(seed).permutation(len(names))]
    return dict(zip(names, letters, strict=True))


def binary(*, blind: bool = False, chosen: CandidateName | None = None) -> Findings:
    """Flights' delays: 19 candidates, two of which failed, with costs, calendar, segments and rules."""
    generator = np.random.default_rng(5)
    costs = Costs(false_positive=1, false_negative=4)
    standings = [standing(name, generator) for name in FLIGHTS]
    best = next(one for one in standings if one.candidate == "tabm")
    standings = [behind(one, best, sign=1) for one in standings]
    labels = hidden(list(FLIGHTS)) if blind else {}
    return Findings(
        experiment="flights_delay",
        task="binary",
        metric="auc",
        title="AUC",
        higher_is_better=True,
        rows={"train": 80_000, "validation": 20_000, "test": 24_000},
        columns=27,
        seed=42,
        contest=BARE.model_copy(
            update={
                "costs": costs,
                "blind": blind,
                "limits": Limits(latency_seconds=0.01, size="50m"),
                "segments": ["dest"],
                "rules": True,
            }
        ),
        engine="local",
        folds_by="5 expanding windows by date: each fold learns from all days before the days that it is judged on",
        intervals_by="whole days, 61 of them",
        seconds=702.4,
        standings=standings,
        recommendation=Recommendation(
            candidate="lightgbm",
            best="tabm",
            why="LightGBM is recommended: it is the simplest candidate within one standard error of the best, TabM "
            "(AUC 0.711 against 0.711). It keeps the limits of 10 ms and 50 MB, and answers a row 2.3 times faster.",
            given_up="0.0005 AUC over folds, which is less than the folds vary.",
            refused={"random_forest": "size 202 MB is above limits.size=50m"},
        ),
        moves=moves(standings, higher_is_better=True),
        assumptions=assumptions(),
        explanations=[explanation(one.candidate, generator) for one in standings if one.failure is None],
        segments=[
            Segments(
                column="dest",
                method="kmeans",
                groups=[["ATL", "ORD", "CLT", "DFW"], ["LAX", "SFO", "SEA", "SAN"], ["HNL"], ["BOS", "DCA", "BUF"]],
                quality=0.47,
                profile={"distance": [690.0, 2_480.0, 4_970.0, 220.0], "arr_delay": [8.1, 1.2, -1.4, 3.3]},
                figure="segments_dest.svg",
                sketch=Sketch(names=[], places=[], shares=[0.6, 0.2], tree=None),
            )
        ],
        sets=[ItemSet(items=["origin = JFK", "airline = B6"], support=0.125, lift=2.35)],
        rules=[
            Rule(when=["carrier=EV", "dep_hour=19"], then="late", support=0.021, confidence=0.41, lift=1.93),
            Rule(when=["origin=EWR", "precip=high"], then="late", support=0.008, confidence=0.48, lift=2.26),
        ],
        notes=[
            "FT-Transformer fell out: it did not end within 240 s.",
            "Linear regression fell out: its design matrix is singular.",
            "The budget cut 14 of 78 trials.",
        ],
        labels=labels,
        choice=None
        if chosen is None
        else Choice(candidate=chosen, label=labels[chosen], at="2026-11-28T14:02:11+00:00"),
        machine="2 cores, 16 GB, Linux 6.8",
        created="2026-11-28T13:51:40+00:00",
    )


def regression() -> Findings:
    """Disease progression in scikit-learn's diabetes set: five candidates, no calendar, no costs."""
    generator = np.random.default_rng(8)
    errors: dict[CandidateName, tuple[float, float]] = {
        "mean": (77.1, 0.2),
        "linear_regression": (54.9, 4.1),
        "ridge": (54.7, 2.2),
        "random_forest": (58.4, 5.9),
        "lightgbm": (60.2, 9.3),
    }
    standings = []
    for place, (name, (error, lack)) in enumerate(errors.items()):
        folds = (error + np.linspace(-3, 3, FOLDS) + generator.normal(0, 0.4, FOLDS)).tolist()
        rows = [60, 120, 240, 354]
        values = [error + lack * ((rows[0] / size) ** 0.7 - (rows[0] / rows[-1]) ** 0.7) for size in rows]
        standings.append(
            made(
                name,
                folds,
                curve(rows, values, higher_is_better=False),
                (0.01 * (1 + place) ** 2, 900, 3e-5 * (1 + place)),
            )
            | {"test": {"rmse": near(error + 1, 4), "mae": near(0.8 * error, 3), "r2": near(0.45, 0.1)}, "rows": 354}
        )
    entered = [Standing.model_validate(one) for one in standings]
    entered = [behind(one, entered[2], sign=-1) for one in entered]
    return Findings(
        experiment="diabetes",
        task="regression",
        metric="rmse",
        title="RMSE",
        higher_is_better=False,
        rows={"train": 283, "validation": 71, "test": 88},
        columns=10,
        seed=0,
        contest=BARE.model_copy(update={"candidates": list(errors)}),
        engine="local",
        folds_by="5 folds by chance",
        seconds=31.0,
        standings=entered,
        recommendation=Recommendation(
            candidate="linear_regression",
            best="ridge",
            why="Linear regression is recommended: it is the simplest within one standard error of ridge, the best.",
            given_up="0.2 RMSE, less than folds vary.",
            refused={},
        ),
        moves=[],
        assumptions=[],
        explanations=[
            Explanation(
                candidate="linear_regression",
                rows=100,
                coefficients=[
                    Weight(name=name, value=value, error=0) for name, value in (("bmi", 24.7), ("sex", -11.4))
                ],
                importance=[Weight(name="bmi", value=9.1, error=0.6), Weight(name="sex", value=1.2, error=0.3)],
                dependence=[Dependence(name="bmi", grid=[18.0, 24.0, 30.0, 36.0], scores=[118.0, 144.0, 170.0, 196.0])],
            )
        ],
        segments=[],
        rules=[],
        sets=[],
        notes=[],
        labels={},
        choice=None,
        machine="2 cores, 16 GB, Linux 6.8",
        created="2026-11-28T13:51:40+00:00",
    )


def store(findings: Findings, folder: Path) -> Path:
    """Write findings.json and the figures that it names; give the path of the former."""
    folder.mkdir(parents=True, exist_ok=True)
    named = [finding.figure for finding in findings.assumptions] + [segments.figure for segments in findings.segments]
    for figure in filter(None, named):
        (folder / figure).write_text(_figure(figure), encoding="utf-8")
    path = folder / FINDINGS
    path.write_text(findings.model_dump_json(indent=1), encoding="utf-8")
    return path


def _figure(name: str) -> str:
    """Draw what looks like matplotlib's: a prolog, a style for everything, ids that repeat, links with `xlink`."""
    generator = np.random.default_rng(1)
    dots = "".join(
        f'<use xlink:href="#m1" x="{x:.1f}" y="{y:.1f}"/>'
        for x, y in zip(generator.uniform(40, 380, 60), generator.uniform(20, 210, 60), strict=True)
    )
    family = "boosting" if "calibration" in name else "rows"
    return (
        '<?xml version="1.0" encoding="utf-8" standalone="no"?>\n'
        '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">\n'
        '<svg xmlns:xlink="http://www.w3.org/1999/xlink" xmlns="http://www.w3.org/2000/svg" width="400pt" '
        'height="240pt" viewBox="0 0 400 240" version="1.1"><metadata>http://purl.org/dc</metadata>'
        '<defs><style type="text/css">*{stroke-linejoin: round; stroke-linecap: butt}</style>'
        '<circle id="m1" r="3" style="fill:#2a6fb0;fill-opacity:0.5"/></defs>'
        f'<g id="figure_1"><!-- {family} --><rect width="400" height="240" style="fill:#ffffff"/>{dots}'
        f'<image xlink:href="data:image/png;base64,{PIXEL}" x="20" y="20" width="9" height="9"/>'
        f'<image xlink:href="http://example.org/outside.png" x="20" y="40" width="9" height="9"/>'
        f'<text x="40" y="232" style="font-size:11px">{family}: {name}</text></g></svg>'
    )
