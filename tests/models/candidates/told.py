"""What such a contest would tell: assumptions and explanations."""

import numpy as np

from conf.contests import CandidateName
from conf.selecting import Dependence, Explanation, Finding, Weight
from tests.models.candidates.standings import FAMILIES

COLUMNS = ["dep_hour", "carrier", "wind_speed", "origin", "precip", "visib", "distance", "schedule_full", "pressure"]


def assumptions() -> list[Finding]:
    return [
        Finding(
            assumption="linearity of the response",
            families=["linear"],
            candidate="ridge",
            test="Ramsey's RESET (Ramsey 1969)",
            statistic=311.2,
            p_value=1e-60,
            effect=0.021,
            effect_name="R² that squares and products add",
            verdict="doubtful",
            says="Ridge misses bends: squares and products of columns explain another 2.1 % of the variance.",
            advice="Let a tree or LightGBM find the bends, or add splines.",
            figure="linearity_ridge.svg",
        ),
        Finding(
            assumption="multicollinearity",
            families=["linear"],
            candidate=None,
            test="variance inflation factor (Belsley, Kuh and Welsch 1980)",
            statistic=None,
            p_value=None,
            effect=38.2,
            effect_name="largest variance inflation factor",
            verdict="broken",
            says="temp and dewp say nearly the same, so neither of their weights can be read alone.",
            advice="Drop one of them, or take ridge.",
            figure=None,
        ),
        Finding(
            assumption="independence in time",
            families=["linear", "tree", "boosting", "network"],
            candidate=None,
            test="Ljung and Box 1978, ten lags of daily residuals",
            statistic=18.1,
            p_value=0.053,
            effect=0.06,
            effect_name="largest autocorrelation",
            verdict="holds",
            says="What was missed yesterday says little of what is missed today.",
            advice="Nothing to do.",
            figure="independence.svg",
        ),
        Finding(
            assumption="train/test shift",
            families=["linear", "tree", "boosting", "network"],
            candidate=None,
            test="classifier two-sample test (Lopez-Paz and Oquab 2017)",
            statistic=0.91,
            p_value=0.0,
            effect=0.91,
            effect_name="AUC of telling train from test",
            verdict="broken",
            says="Train and test rows are told apart by temp and month: winter was not in train.",
            advice="Train on a whole year, and watch the weeks in the calendar above.",
            figure="shift.svg",
        ),
        Finding(
            assumption="calibration",
            families=["boosting"],
            candidate="lightgbm",
            test="expected calibration error (Guo et al. 2017)",
            statistic=None,
            p_value=0.31,
            effect=0.008,
            effect_name="expected calibration error",
            verdict="holds",
            says="LightGBM's probabilities are what they say: they miss by 0.8 points in the mean.",
            advice="Nothing to do.",
            figure="calibration_lightgbm.svg",
        ),
        Finding(
            assumption="tractability",
            families=["network"],
            candidate="tabm",
            test="slope of processor-seconds over rows, in logarithms",
            statistic=None,
            p_value=None,
            effect=1.04,
            effect_name="exponent of rows",
            verdict="unknown",
            says="TabM's time was seen on three sizes alone.",
            advice="Give the contest a larger budget.",
            figure=None,
        ),
    ]


def explanation(name: CandidateName, generator: np.random.Generator) -> Explanation:
    if FAMILIES[name] == "baseline":
        nothing = [Weight(name=column, value=0.0, error=0.0) for column in COLUMNS]
        return Explanation(candidate=name, rows=100, coefficients=[], importance=nothing, dependence=[])
    sizes = np.array([0.071, 0.022, 0.018, 0.011, 0.009, 0.006, 0.002, 0.0006, -0.0002])
    sizes = sizes * generator.uniform(0.9, 1.1, len(sizes))
    importance = [
        Weight(name=column, value=float(size), error=float(0.0004 + 0.03 * abs(size)))
        for column, size in zip(COLUMNS, sizes, strict=True)
    ]
    hours = [float(hour) for hour in range(5, 24)]
    linear = FAMILIES[name] == "linear"
    shape = [0.1 + 0.011 * (h - 5) if linear else 0.09 + 0.2 / (1 + np.exp(-(h - 15) / 2)) for h in hours]
    dependence = [
        Dependence(name="dep_hour", grid=hours, scores=[float(value) for value in shape]),
        Dependence(
            name="carrier",
            grid=["United (UA)", "JetBlue (B6)", "ExpressJet (EV)", "Delta (DL)", "American (AA)", "(rare)"],
            scores=[0.17, 0.21, 0.29, 0.15, 0.16, 0.2],
        ),
        Dependence(
            name="wind_speed", grid=[0.0, 5.0, 10.0, 15.0, 20.0, 30.0], scores=[0.17, 0.18, 0.2, 0.22, 0.25, 0.3]
        ),
        Dependence(name="origin", grid=["EWR", "JFK", "LGA"], scores=[0.23, 0.19, 0.18]),
    ]
    coefficients = []
    if linear:
        pairs = [("dep_hour", 0.44), ("carrier=ExpressJet (EV)", 0.31), ("visib", -0.12), ("distance", -0.04)]
        coefficients = [Weight(name=column, value=value, error=0) for column, value in pairs]
    return Explanation(
        candidate=name, rows=100, coefficients=coefficients, importance=importance, dependence=dependence
    )
