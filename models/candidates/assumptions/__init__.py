"""What families of candidates assume, looked at in held-out rows; effect sizes decide, not p-values.

On a million rows every p-value is small. A verdict comes from the size of an effect against bars with a source or a
reason beside them; a p-value only takes back what chance may have made (`check.Bar`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from conf.contests import CandidateName, Family
from conf.selecting import Finding, Fit
from models.candidates.assumptions import (
    beyond,
    calibration,
    collinearity,
    conditional,
    independence,
    normality,
    response,
    separability,
    shift,
    tractability,
    variance,
)
from models.candidates.assumptions.evidence import Evidence, Held
from models.candidates.rows import Rows

CHECKS = (
    normality.CHECK,
    variance.CHECK,
    independence.CHECK,
    independence.WITHIN,
    collinearity.CHECK,
    response.CHECK,
    response.SMOOTH,
    beyond.CHECK,
    beyond.BOUNDARY,
    separability.CHECK,
    calibration.CHECK,
    conditional.CHECK,
    tractability.CHECK,
    shift.CHECK,
    shift.LABEL,
)


def look(  # noqa: PLR0917 -- all of a contest is looked at
    pool: Rows,
    test: Rows,
    held: Mapping[CandidateName, Held],
    families: Mapping[CandidateName, Family],
    seconds: Sequence[Fit],
    folder: Path,
    seed: int,
) -> list[Finding]:
    """Look at each assumption that means something for the task.

    Args:
        pool: rows of train and validation.
        test: rows that no fold has seen.
        held: out-of-fold scores of each candidate that has them.
        families: of all candidates.
        seconds: the journal of fits, of which those of the sizes are looked at.
        folder: run folder, into whose `assumptions/` figures go.
        seed: of samples.

    Returns:
        At least one finding for each assumption: one that could not be looked at is "unknown" and says why. Neither
        sentences nor figures name a candidate, as a blind report hides them.

    """
    evidence = Evidence(pool, test, held, families, seconds, folder, seed)
    return [finding for check in CHECKS if pool.columns.task in check.tasks for finding in check.findings(evidence)]


__all__ = ["CHECKS", "Held", "look"]
