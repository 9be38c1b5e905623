"""One process, one device."""

from conf.strategies import Single
from models.parallel.parallelism import Parallelism


class Strategy(Parallelism[Single]):
    """Nothing is shared."""
