"""What every network has in common."""

import torch
from torch import Tensor, nn

from conf.manifest import Manifest
from models.networks.parts import Embeddings, prior_logits


class Network(nn.Module):
    """A network for rows.

    Its forward takes `(numeric (batch, n), categorical (batch, m), *tensors)`, as `models.feeds.batch.Batch.inputs`
    has them, and gives `(batch, outputs)`: one logit (binary), one standardised value (regression) or a logit per
    class (multiclass).

    Attributes:
        blocks: the hidden blocks in order; what parallelism shards, checkpoints or cuts into stages.
        scalars: width of the numbers and embedded codes that `side_by_side` gives.

    """

    blocks: nn.ModuleList

    def __init__(self, manifest: Manifest, widest: int) -> None:
        """Make the embeddings, at most so wide, of the categorical columns of `manifest`."""
        super().__init__()
        cardinalities = [column.cardinality for column in manifest.categorical]
        self.embeddings = Embeddings(cardinalities, widest) if cardinalities else None
        self.scalars = len(manifest.numeric) + (self.embeddings.out_features if self.embeddings else 0)

    def side_by_side(self, numeric: Tensor, categorical: Tensor) -> Tensor:
        """Put `(batch, n)` numbers beside the embeddings of `(batch, m)` codes: `(batch, scalars)`."""
        return numeric if self.embeddings is None else torch.cat((numeric, self.embeddings(categorical)), dim=1)

    def multiplications(self) -> int:
        """Count the multiplications of a forward pass of one row: a parameter's, as often as it is used."""
        return sum(
            parameter.numel() * getattr(module, "places", 1)
            for module in self.modules()
            for parameter in module.parameters(recurse=False)
        )


def head(width: int, manifest: Manifest) -> nn.Linear:
    """Make the last layer, `(batch, width)` to `(batch, outputs)`, which begins by saying the prior."""
    layer = nn.Linear(width, len(manifest.label.classes) if manifest.task == "multiclass" else 1)
    with torch.no_grad():
        layer.bias.copy_(prior_logits(manifest))
    return layer
