"""What every part of the report starts from."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from conf.contests import CANDIDATES
from conf.exchange import Estimate
from conf.selecting import Findings, Standing
from models.candidates.report.formats import decimals, fixed
from models.candidates.report.naming import Names, names

FOCUS = 0.6  # share of the candidates, the best ones, that pictures are scaled for


@dataclass(frozen=True)
class View:
    """Findings with their order, their names and the format of their metric."""

    findings: Findings

    @cached_property
    def names(self) -> Names:
        """What candidates are called."""
        return names(self.findings)

    @cached_property
    def sign(self) -> int:
        """1 where more is better, else -1."""
        return 1 if self.findings.higher_is_better else -1

    @cached_property
    def ranked(self) -> list[Standing]:
        """Those with a mean over folds, the best first; equal ones by simplicity, or by the letters that hide it."""
        judged = [standing for standing in self.findings.standings if standing.mean is not None]

        def order(one: Standing) -> tuple[float, int | str]:
            tie = self.names[one.candidate] if self.names.blind else CANDIDATES.index(one.candidate)
            return -self.sign * (one.mean or 0.0), tie

        return sorted(judged, key=order)

    @cached_property
    def fallen(self) -> list[Standing]:
        """Those without one; in the order of their letters, if these hide them."""
        fallen = [standing for standing in self.findings.standings if standing.mean is None]
        return sorted(fallen, key=lambda one: self.names[one.candidate]) if self.names.blind else fallen

    @cached_property
    def named(self) -> dict[str, Standing]:
        """Standings by candidate."""
        return {standing.candidate: standing for standing in self.findings.standings}

    @property
    def recommended(self) -> Standing:
        """Standing of the recommended candidate."""
        return self.named[self.findings.recommendation.candidate]

    @property
    def best(self) -> Standing:
        """Standing of the best candidate."""
        return self.named[self.findings.recommendation.best]

    def role(self, candidate: str) -> str:
        """How pictures show a candidate: rec, best or rest."""
        recommendation = self.findings.recommendation
        if candidate == recommendation.candidate:
            return "rec"
        return "best" if candidate == recommendation.best else "rest"

    @cached_property
    def digits(self) -> int:
        """Decimals of the main metric: enough for its noise over folds."""
        widths = [(one.high - one.low) / 2 for one in self.ranked if one.low is not None and one.high is not None]
        ten = max((abs(one.mean or 0.0) for one in self.ranked), default=0.0)
        three = decimals(ten / 300) if ten > 0 else 3  # three significant digits of the largest
        noise = decimals(float(np.median([width for width in widths if width > 0]))) if any(widths) else 3
        return max(noise, three)

    def metric(self, value: float, more: int = 0) -> str:
        """Format a value of the main metric, with `more` decimals for a difference."""
        return fixed(value, self.digits + more)

    def interval(self, estimate: Estimate) -> str:
        """A value with its 95 % interval."""
        return f"{self.metric(estimate.value)} ({self.metric(estimate.low)} to {self.metric(estimate.high)})"

    def as_good(self, standing: Standing) -> bool:
        """Whether its gap to the best is within one standard error."""
        if standing.candidate == self.findings.recommendation.best:
            return True
        return standing.behind is not None and standing.behind <= (standing.behind_error or 0.0)

    def focus(self, values: Sequence[float], extra: Sequence[float] = ()) -> tuple[float, float]:
        """Give ends of an axis that shows the better values well; far worse ones, such as baselines', lie outside.

        Args:
            values: one of each candidate.
            extra: what has to be seen in any case.

        """
        ordered = sorted(values, key=lambda value: -self.sign * value)
        best, middle = ordered[0], ordered[min(len(ordered) - 1, int(FOCUS * len(ordered)))]
        edge = best - self.sign * 2.2 * abs(best - middle)
        worst = ordered[-1]
        edge = max(edge, worst) if self.sign > 0 else min(edge, worst)
        shown = [best, edge, *extra]
        low, high = min(shown), max(shown)
        room = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
        return low - room, high + room
