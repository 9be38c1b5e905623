"""How late gradients may be: by how many updates the weights have moved on since they were taken.

Bounded delay: Li et al. 2014, "Scaling Distributed Machine Learning with the Parameter Server", section 3.4; Ho et al.
2013, "More Effective Distributed ML via a Stale Synchronous Parallel Parameter Server". There clocks are compared; here
an update waits while it would make a gradient that is still worked out too late.
"""

from collections.abc import Iterable


def may_update(version: int, held: Iterable[int], most: int) -> bool:
    """Whether one more update leaves room for all gradients that are under way to arrive in time.

    If the oldest of them comes next, then the second oldest and so on, the one at place `p` finds `p` updates more. As
    long as none of these would be too late, the oldest one may always be taken, so ranks never wait for one another in
    a ring; that needs `most` to be at least the number of other ranks.

    Args:
        version: updates so far.
        held: of the weights that each other rank works with, how many updates they have.
        most: updates that a gradient may be late.

    """
    return all(version + 1 + place - taken <= most for place, taken in enumerate(sorted(held)))


class Histogram:
    """Counts how late gradients were.

    Attributes:
        counts: at place `n`, the gradients that were `n` updates late.

    """

    def __init__(self, most: int) -> None:
        """Count from 0 to `most`."""
        self.counts = [0] * (most + 1)

    def add(self, late: int) -> None:
        """Count one."""
        self.counts[late] += 1

    @property
    def mean(self) -> float:
        """Of all so far."""
        return sum(late * count for late, count in enumerate(self.counts)) / max(1, sum(self.counts))

    @property
    def most(self) -> int:
        """The latest so far."""
        return max((late for late, count in enumerate(self.counts) if count), default=0)
