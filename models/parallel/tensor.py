"""Layers split over a few ranks each (DTensor); over all others, shards as those of `fsdp`.

Which layers of a block are split, and how, says its class: `splits`, by the names of `nn.Linear`s within it.

columns   each rank works out some of the outputs
rows      each rank takes some of the inputs, which the `columns` before have left with it; sums are added up
gathered  as columns, but then every rank gets all outputs

Columns and then rows are one exchange for two layers: Shoeybi et al. 2019, "Megatron-LM: Training Multi-Billion
Parameter Language Models Using Model Parallelism", section 3.
"""

from collections.abc import Mapping

from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import Replicate
from torch.distributed.tensor.parallel import ColwiseParallel, ParallelStyle, RowwiseParallel, parallelize_module

from conf.errors import FranklinError
from conf.exchange import Plan
from conf.strategies import Tensor
from models.feeds.batch import Batch
from models.networks.network import Network
from models.networks.parts import Grouped, Split
from models.parallel.apart import draw_apart
from models.parallel.narrow import Narrow, narrow, splits
from models.parallel.parallelism import Forward
from models.parallel.plan import EXAMPLE_ROWS, PASSES, Sketch
from models.parallel.sharding import SHARDS, Sharding

TENSOR = "tensor"
STYLES: Mapping[Split, ParallelStyle] = {
    "columns": ColwiseParallel(),
    "rows": RowwiseParallel(),
    "gathered": ColwiseParallel(output_layouts=Replicate()),
}


class Strategy(Sharding[Tensor]):
    """Tensor parallelism within fully sharded data parallelism."""

    @property
    def dimensions(self) -> Mapping[str, int]:
        """Shards, each of so many neighbours that split layers."""
        return {SHARDS: self.replicas, TENSOR: self.settings.tensor_size}

    @property
    def replicas(self) -> int:
        """Ranks that split the same layers see the same rows."""
        return self.world_size // self.settings.tensor_size

    def plan(self, sketch: Sketch) -> Plan:
        """Predict what a step costs: narrower layers, in shards, and what goes between the ranks that split them."""
        shares: list[Narrow] = []

        def prepare(network: Network) -> Network:
            self.inspect(network, sketch.name, sketch.batch(EXAMPLE_ROWS))
            shares.extend(narrow(network, self.settings.tensor_size))
            return network

        plan = self.sharded(sketch.prepared(prepare), self.replicas)
        sent = sum(share.sent_bytes for share in shares) // PASSES
        return plan.model_copy(update={"communicated_bytes": plan.communicated_bytes + sent})

    def inspect(self, network: Network, name: str, example: Batch) -> None:  # noqa: ARG002 -- others use it
        """See that there are layers to split, and that their widths can be shared equally."""
        size = self.settings.tensor_size
        found = [(layer, how) for block in network.blocks for _, layer, how in splits(block)]
        if not found:
            raise FranklinError(f"network {name} has no block that can be split; choose strategy=fsdp or ddp")
        for layer, how in found:
            width = layer.in_features if how == "rows" else layer.out_features
            if isinstance(layer, Grouped) and layer.groups % size:
                raise FranklinError(
                    f"network {name} has a layer of {layer.groups} {layer.noun}, which strategy.tensor_size={size} "
                    f"ranks cannot share equally; take a multiple of {size}"
                )
            if width % size:
                raise FranklinError(
                    f"network {name} has a layer of width {width}, which strategy.tensor_size={size} ranks cannot "
                    f"share equally; take widths that are multiples of {size}"
                )

    def wrap(self, network: Network, mesh: DeviceMesh | None) -> Forward:
        """Split the layers of each block, then shard what each rank has; with one shard too, so that all are alike."""
        if mesh is None:
            return network
        for block in network.blocks:
            hows = {name: how for name, _, how in splits(block)}
            if hows:
                parallelize_module(block, mesh[TENSOR], {name: STYLES[how] for name, how in hows.items()})
                draw_apart(block, hows, mesh[TENSOR].get_local_rank())
        self.shard(network, mesh[SHARDS])
        return network
