"""Who is champion: the rule, its numbers, and the way back."""

from dataclasses import dataclass, field
from typing import Literal

from conf.data import Task
from conf.exchange import Estimate
from models.evaluation.bootstrap import difference
from models.evaluation.metrics import Floats, judge, main_metric

Mode = Literal["enabled", "dry_run", "disabled"]


@dataclass(frozen=True)
class Champion:
    """The version that holds the alias, and `(rows, ...)` scores of the holdout, or why there are none to compare."""

    version: int
    scores: Floats | None
    reason: str = ""


@dataclass(frozen=True)
class Decision:
    """Whether the challenger wins, in one line and in numbers."""

    wins: bool
    text: str
    metrics: dict[str, float] = field(default_factory=dict)

    def under(self, mode: Mode) -> "Decision":
        """Apply `promotion`: a dry run only says what would have happened."""
        if mode == "enabled":
            return self
        return Decision(wins=False, text=f"dry run, nothing changes: {self.text}", metrics=self.metrics)


@dataclass(frozen=True)
class Contest:
    """The same held-out rows for both: `(rows,)` labels, and how they are resampled."""

    task: Task
    label: Floats
    bootstrap: int
    seed: int

    def decide(self, challenger: Floats, champion: Champion | None) -> Decision:
        """Judge the challenger's scores against the champion's, both on the same rows of the same resamples.

        The challenger wins if there is no champion, or if the 95 % paired bootstrap interval of its gain in the
        main metric lies above 0. A gain is positive where the challenger is better, whatever the metric's direction.
        """
        metric = main_metric(self.task)
        if champion is None:
            return Decision(wins=True, text="first champion")
        name = f"champion version {champion.version}"
        if champion.scores is None:
            return Decision(wins=False, text=f"{name} stays: {champion.reason}")
        found = difference(
            metric.name,
            judge(self.task, challenger, self.label),
            judge(self.task, champion.scores, self.label),
            rows=len(self.label),
            count=self.bootstrap,
            seed=self.seed,
        )
        if found is None:
            return Decision(wins=False, text=f"{name} stays: {metric.title} is not defined on these rows")
        gain = found if metric.higher_is_better else Estimate(value=-found.value, low=-found.high, high=-found.low)
        numbers = f"{metric.title} gain {gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"
        metrics = {"gain": gain.value, "gain_low": gain.low, "gain_high": gain.high}
        if gain.low > 0:
            return Decision(wins=True, text=f"beats {name}: {numbers}", metrics=metrics)
        verdict = "worse" if gain.high < 0 else "within the noise"
        return Decision(wins=False, text=f"{name} stays: {numbers}, {verdict}", metrics=metrics)
