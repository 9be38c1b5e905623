"""What ranks send to a parameter server and get from it: one message of numbers and weights, or gradients."""

from collections.abc import Sequence

import torch
from torch import Tensor

DOUBLE_BYTES = 8
FLOAT_BYTES = 4


class Letter:
    """A message that is written and read in place.

    Attributes:
        whole: its bytes.
        purpose: `PULL`, `PUSH` or `END`.
        turn: which stretch of the stream of batches it is about, counted from 1; its first batch; where it stops.
        number: the answer: the batch that the rank is to take, or `stop`.
        rates: learning rate of each group of parameters.
        tensors: one for each parameter: its gradient on the way there, its weights on the way back.

    """

    PULL, PUSH, END = 0.0, 1.0, 2.0
    NUMBERS = 5

    def __init__(self, parameters: Sequence[Tensor], groups: int) -> None:
        """Make room for float32 parameters in so many groups."""
        sizes = [parameter.numel() for parameter in parameters]
        head = (self.NUMBERS + groups) * DOUBLE_BYTES
        self.whole = torch.zeros(head + sum(sizes) * FLOAT_BYTES, dtype=torch.uint8)
        self._numbers = self.whole[:head].view(torch.float64)
        parts = torch.split(self.whole[head:].view(torch.float32), sizes)
        self.tensors = [part.view_as(parameter) for part, parameter in zip(parts, parameters, strict=True)]

    def write(self, purpose: float, turn: tuple[int, int, int], rates: Sequence[float] = ()) -> None:
        """Say what it is about."""
        self._numbers[: self.NUMBERS - 1] = torch.tensor([purpose, *turn], dtype=torch.float64)
        if rates:
            self._numbers[self.NUMBERS :] = torch.tensor(rates, dtype=torch.float64)

    @property
    def purpose(self) -> float:
        """`PULL`, `PUSH` or `END`."""
        return float(self._numbers[0])

    @property
    def turn(self) -> tuple[int, int, int]:
        """Which stretch of the stream, its first batch, and where it stops."""
        turn, first, stop = map(int, self._numbers[1:4].tolist())
        return turn, first, stop

    @property
    def rates(self) -> list[float]:
        """Learning rates."""
        rates: list[float] = self._numbers[self.NUMBERS :].tolist()
        return rates

    @property
    def number(self) -> int:
        """The batch to take."""
        return int(self._numbers[self.NUMBERS - 1])

    @number.setter
    def number(self, number: int) -> None:
        self._numbers[self.NUMBERS - 1] = number
