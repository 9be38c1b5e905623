"""Consecutive blocks on different ranks; a batch goes through them in parts.

Schedules: Huang et al. 2019, "GPipe", section 2.3; Narayanan et al. 2021, "Efficient Large-Scale Language Model
Training on GPU Clusters Using Megatron-LM", section 2.2 (1F1B, interleaved).
"""

from torch import Tensor, nn
from torch.distributed import ProcessGroup
from torch.distributed.device_mesh import DeviceMesh
from torch.optim import Optimizer

from conf.errors import FranklinError
from conf.exchange import Plan
from conf.strategies import Pipeline
from models.feeds.batch import Batch
from models.networks.network import Network
from models.parallel.clipping import clip
from models.parallel.cuts import Cut, costs, cut, part
from models.parallel.parallelism import Forward, Loss, Make, Parallelism
from models.parallel.plan import EXAMPLE_ROWS, STATES, Sketch
from models.parallel.rehearsal import rehearse
from models.parallel.stages import Stages

STAGES = "stages"


class Strategy(Parallelism[Pipeline]):
    """Pipeline parallelism: stage `s` is on rank `s % ranks`."""

    _costs: list[int]
    _cut: Cut
    _group: ProcessGroup
    _stages: Stages | None = None  # with one rank there is nothing to hand on

    @property
    def dimensions(self) -> dict[str, int]:
        """Ranks one behind the other."""
        return {STAGES: self.world_size}

    @property
    def replicas(self) -> int:
        """All ranks see the same rows."""
        return 1

    @property
    def clears(self) -> bool:
        """Gradients are there before Lightning would clear them."""
        return self.world_size > 1

    def stream(self, rank: int) -> int:
        """Each rank has layers of its own, so dropout of its own."""
        return rank

    def plan(self, sketch: Sketch) -> Plan:
        """Predict what a step costs: for each part, a rank sends a state forth and its gradient back.

        Of p ranks and m parts, a rank waits for (p - 1) / (m + p - 1) of the step; with v stages each, m counts v times
        (Narayanan et al. 2021, section 2.2).
        """
        if self.world_size == 1:
            return super().plan(sketch)
        whole = super().plan(sketch.in_stages())
        parts, stages = self.settings.parts(self.world_size), self.settings.stages(self.world_size)
        with sketch.fake(), sketch.precision():
            network = sketch.network()
            self.inspect(network, sketch.name, sketch.batch(EXAMPLE_ROWS))
            inputs = sketch.batch(-(-sketch.rows // parts)).inputs
            roles = rehearse(network, self._cut, self.settings, self.world_size, inputs)
        held = max(role.parameters_bytes for role in roles)
        work = [sum(self._costs[place] for place in which) for which in self._cut]
        slowest = max(sum(work[rank :: self.world_size]) for rank in range(self.world_size))
        waits, works = self.world_size - 1, parts * stages // self.world_size
        return whole.model_copy(
            update={
                "parameters_bytes": held,
                "gradients_bytes": held,
                "optimizer_bytes": STATES * held,
                "activations_bytes": max(role.activations_bytes for role in roles),
                "communicated_bytes": max(role.sent_bytes for role in roles),
                "flop": whole.flop * slowest / max(1, sum(work)),
                "idle_share": waits / (works + waits),
            }
        )

    def inspect(self, network: Network, name: str, example: Batch) -> None:
        """Find where to cut."""
        stages = self.settings.stages(self.world_size)
        pieces = (network.stem, *network.blocks, network.head)
        learning = [any(parameter.requires_grad for parameter in piece.parameters()) for piece in pieces]
        self._costs = costs(network, example.inputs)
        found = cut(self._costs, learning, stages)
        if found is None:
            ranks = max(1, sum(learning) * self.world_size // stages)
            raise FranklinError(
                f"network {name} has {len(network.blocks)} blocks, which cannot be cut into {stages} stages; "
                f"take strategy.world_size={ranks}"
            )
        self._cut = found

    def wrap(self, network: Network, mesh: DeviceMesh | None) -> Forward:
        """Keep the stages of this rank, and let go what is others'."""
        if mesh is None:
            return network
        self._group, rank = mesh.get_group(), mesh.get_local_rank()
        mine = {number: which for number, which in enumerate(self._cut) if number % self.world_size == rank}
        stages = {number: part(network, which) for number, which in mine.items()}
        parts = self.settings.parts(self.world_size)
        self._stages = Stages(stages, len(self._cut), self.settings.schedule, parts, self._group)
        kept = {place for which in mine.values() for place in which}
        last = len(network.blocks) + 1
        network.stem = network.stem if 0 in kept else nn.Identity()
        network.head = network.head if last in kept else nn.Identity()
        for place in set(range(1, last)) - kept:
            network.blocks[place - 1] = nn.Identity()  # so that the others keep their names
        return network

    @property
    def sees_outputs(self) -> bool:
        """The last stage's rank does."""
        return self._stages is None or self._stages.last

    def train(self, forward: Forward, batch: Batch, loss: Loss, share: float) -> Tensor:
        """Run forward and backward passes of all parts; gradients are there when this ends."""
        if self._stages is None:
            return super().train(forward, batch, loss, share)
        return self._stages.learn(batch, loss, share)

    def backward(self, loss: Tensor) -> None:
        """Do nothing: `train` has."""
        if self._stages is None:
            super().backward(loss)

    def judge(self, forward: Forward, batch: Batch, loss: Loss) -> Tensor:
        """Run the forward pass of all parts."""
        return super().judge(forward, batch, loss) if self._stages is None else self._stages.judge(batch, loss)

    def optimizer(self, network: Network, make: Make) -> Optimizer:
        """Make the optimizer of this rank's stages, which clears gradients after its step."""
        optimizer = super().optimizer(network, make)
        if self.clears:
            optimizer.register_step_post_hook(lambda stepped, *_: stepped.zero_grad())
        return optimizer

    def clip(self, network: nn.Module, most: float) -> float:
        """Clip by the norm over all stages."""
        return clip(network.parameters(), most, self._group if self._stages else None)
