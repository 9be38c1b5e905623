"""A check: what it is called, whose assumption it looks at, and from where on an effect counts."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from conf.contests import CandidateName, Family
from conf.data import Task
from conf.selecting import Finding
from models.candidates.assumptions.evidence import Evidence
from models.candidates.draw import save

ALL: tuple[Family, ...] = ("baseline", "linear", "tree", "boosting", "network", "ensemble")
LINEAR: tuple[Family, ...] = ("linear",)
TABULAR: frozenset[Task] = frozenset({"regression", "binary", "multiclass"})
REGRESSION: frozenset[Task] = frozenset({"regression"})
CLASSES: frozenset[Task] = TABULAR - REGRESSION
CHANCE = 0.05  # from this p-value on, chance alone may have made the effect


@dataclass(frozen=True)
class Bar:
    """Sizes from which an effect is doubtful, and broken."""

    doubtful: float
    broken: float

    def step(self, effect: float, p_value: float | None) -> int:
        """0: holds, 1: doubtful, 2: broken. One that chance may have made counts a step less."""
        step = (effect >= self.doubtful) + (effect >= self.broken)
        return max(0, step - 1) if p_value is not None and p_value >= CHANCE else step


@dataclass(frozen=True)
class Seen:
    """What a check saw; `says` and the figure name no candidate, for a blind report hides them.

    Attributes:
        statistic: of the test.
        p_value: None: it has none.
        effect: decides; nan: it is unknown.
        says: one sentence; of an unknown effect, the reason.
        figure: None: there is nothing to draw.
        candidate: None: the rows themselves were looked at.
        families: None: those of the check.
        least: the verdict is at least this, as in `Bar.step`.

    """

    statistic: float | None
    p_value: float | None
    effect: float
    says: str
    figure: Figure | None
    candidate: CandidateName | None = None
    families: tuple[Family, ...] | None = None
    least: int = 0


@dataclass(frozen=True)
class Check:
    """An assumption and the way to look at it.

    Attributes:
        assumption: its name.
        families: that rest on it.
        tasks: for which it means something.
        test: name and source.
        effect_name: what the effect is.
        bar: from where on it counts.
        advice: what to do if it is doubtful or broken.
        look: sees; `ValueError` and `ArithmeticError` say why it can't; others are mistakes in it, which are logged.

    """

    assumption: str
    families: tuple[Family, ...]
    tasks: frozenset[Task]
    test: str
    effect_name: str
    bar: Bar
    advice: str
    look: Callable[[Evidence], list[Seen]]

    def findings(self, evidence: Evidence) -> list[Finding]:
        """Look; what cannot be looked at is unknown, with the reason."""
        try:
            seen = self.look(evidence)
            return [self._finding(one, evidence, number) for number, one in enumerate(seen)]
        except (ValueError, ArithmeticError) as error:  # LinAlgError is a ValueError
            return [self._unknown(str(error))]
        except Exception as error:  # noqa: BLE001 -- whatever surprises one check must not take the others along
            traceback.print_exc()
            return [self._unknown(f"{type(error).__name__}: {' '.join(str(error).split())}"[:300])]

    def _finding(self, seen: Seen, evidence: Evidence, number: int) -> Finding:
        if not np.isfinite(seen.effect):
            return self._unknown(seen.says, seen)
        step = max(seen.least, self.bar.step(seen.effect, seen.p_value))
        verdicts = ("holds", "doubtful", "broken")
        name = f"assumptions/{self.assumption.replace(' ', '_').replace('/', '_')}"
        figure = (
            None if seen.figure is None else save(seen.figure, evidence.folder, f"{name}_{number}" if number else name)
        )
        return Finding(
            assumption=self.assumption,
            families=list(seen.families or self.families),
            candidate=seen.candidate,
            test=self.test,
            statistic=_finite(seen.statistic),
            p_value=_finite(seen.p_value),
            effect=float(seen.effect),
            effect_name=self.effect_name,
            verdict=verdicts[step],
            says=seen.says,
            advice=self.advice if step else "Nothing.",
            figure=figure,
        )

    def _unknown(self, reason: str, seen: Seen | None = None) -> Finding:
        return Finding(
            assumption=self.assumption,
            families=list((seen and seen.families) or self.families),
            candidate=seen and seen.candidate,
            test=self.test,
            statistic=None,
            p_value=None,
            effect=None,
            effect_name=self.effect_name,
            verdict="unknown",
            says=f"It could not be looked at: {reason}.",
            advice="Judge by what the data are and how they came about.",
            figure=None,
        )


def _finite(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)
