"""The weights that all ranks learn together, where rank 0 keeps them, and whose turn it is to take a batch."""

from threading import Condition, Thread

import torch
from torch import Tensor
from torch.distributed import ProcessGroup
from torch.optim import Optimizer

from models.networks.network import Network
from models.parallel.letter import Letter
from models.parallel.staleness import Histogram, may_update


class Master:
    """Takes gradients as they arrive, one at a time, and gives weights and the next batch's number in return.

    Attributes:
        network: with the weights.
        optimizer: of these.
        late: how late gradients were.
        sent_bytes: to other ranks.

    """

    def __init__(self, network: Network, optimizer: Optimizer, most_late: int) -> None:
        """Begin with the weights of `network`."""
        self.network, self.optimizer = network, optimizer
        self.late = Histogram(most_late)
        self.sent_bytes = 0
        self._parameters: list[Tensor] = list(network.parameters())
        self._most_late = most_late
        self._changed = Condition()  # to be held by whoever looks at what follows
        self._updates = 0
        self._held: dict[int, int] = {}  # updates of the weights that a rank works with
        self._turn, self._next, self._stop = 0, 0, 0
        self._failed: BaseException | None = None
        self._threads: list[Thread] = []

    def serve(self, ranks: range, group: ProcessGroup, letters: list[Letter]) -> None:
        """Answer other ranks, each in a thread of its own, until it says that this is the end."""
        for rank, letter in zip(ranks, letters, strict=True):
            # A daemon: it must not keep a failed process from ending.
            thread = Thread(target=self._serve, args=(rank, group, letter), name=f"rank {rank}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def close(self) -> None:
        """Wait until all ranks have said so."""
        for thread in self._threads:
            thread.join()
        self._check()

    def answer(self, rank: int, letter: Letter) -> None:
        """Take a rank's gradients, if it has some, and fill in what it works on next.

        This waits while other ranks' gradients would become too late.

        Raises:
            RuntimeError: another rank cannot be answered any more.

        """
        with self._changed:
            if letter.purpose == Letter.PUSH:
                self._changed.wait_for(lambda: self._failed or self._may_update(rank))
                self._check()
                self.late.add(self._updates - self._held.pop(rank))
                self._update(letter)
                self._changed.notify_all()
            turn, first, stop = letter.turn
            if turn > self._turn:  # whoever comes first
                self._turn, self._next, self._stop = turn, first, stop
            letter.number = self._next
            if self._next < self._stop:
                self._next += 1
                self._held[rank] = self._updates
            self.copy_to(letter)

    def copy_to(self, letter: Letter) -> None:
        """Fill in the weights."""
        with torch.no_grad():
            torch._foreach_copy_(letter.tensors, self._parameters)

    def _may_update(self, rank: int) -> bool:
        others = (updates for other, updates in self._held.items() if other != rank)
        return may_update(self._updates, others, self._most_late)

    def _update(self, letter: Letter) -> None:
        for parameter, gradient in zip(self._parameters, letter.tensors, strict=True):
            parameter.grad = gradient
        for group, rate in zip(self.optimizer.param_groups, letter.rates, strict=True):
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad()
        self._updates += 1

    def _serve(self, rank: int, group: ProcessGroup, letter: Letter) -> None:
        try:
            while True:
                torch.distributed.recv(letter.whole, rank, group)
                if letter.purpose == Letter.END:
                    return
                self.answer(rank, letter)
                torch.distributed.send(letter.whole, rank, group)
                with self._changed:
                    self.sent_bytes += letter.whole.nbytes
        except RuntimeError as error:  # what torch raises when a rank is gone
            with self._changed:
                self._failed = error
                self._changed.notify_all()

    def _check(self) -> None:
        if self._failed is not None:
            raise RuntimeError("another rank cannot be answered any more") from self._failed
