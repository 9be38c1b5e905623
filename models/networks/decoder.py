"""A decoder-only transformer: at each place of a sequence, what comes next.

Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.3: normalisation before each part,
and weights that start the smaller the more blocks add to the state. The head's weights are its own: on another rank
than the embedding, as in a pipeline, they could not be shared.
"""

import torch
from torch import Tensor, nn

from conf.manifest import Manifest
from conf.networks import Decoder
from models.networks.network import Network, head
from models.networks.transformer import Attention, FeedForward, TransformerBlock

STD = 0.02


class Places(nn.Module):
    """A vector for each token and one for each place, added up: `(batch, places)` to `(batch, places, width)`."""

    def __init__(self, tokens: int, places: int, width: int, dropout: float) -> None:
        """Make the tables."""
        super().__init__()
        self.tokens, self.positions = nn.Embedding(tokens, width), nn.Embedding(places, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, numeric: Tensor, categorical: Tensor, tokens: Tensor) -> Tensor:  # noqa: ARG002 -- what a stem gets
        """Look up the tokens, of all places or of the first few."""
        state: Tensor = self.dropout(self.tokens(tokens) + self.positions.weight[: tokens.shape[1]])
        return state


class EachPlace(nn.Sequential):
    """A head that is used at so many places."""

    def __init__(self, places: int, *layers: nn.Module) -> None:
        """Take the layers."""
        super().__init__(*layers)
        self.places = places


def decoder(model: Decoder, manifest: Manifest) -> Network:
    """Make a decoder for the one column of `manifest`, a sequence."""
    (column,) = manifest.tensors
    places, width = column.size - 1, model.width
    stem = Places(column.tokens, places, width, model.residual_dropout)
    blocks = [
        TransformerBlock(
            width,
            places,
            Attention(width, model.heads, model.attention_dropout, causal=True),
            FeedForward(width, model.hidden, model.dropout),
            dropout=model.residual_dropout,
        )
        for _ in range(model.blocks)
    ]
    network = Network(stem, blocks, EachPlace(places, nn.LayerNorm(width), head(width, manifest)))
    _begin(network)
    return network


@torch.no_grad()
def _begin(network: Network) -> None:
    """Draw the first weights; biases are 0, but for the head's, which says the prior."""
    added = 2 * len(network.blocks)  # parts that add to the state
    for name, module in network.named_modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            adds = name.endswith((".attention.output", ".feed_forward.second"))
            nn.init.normal_(module.weight, std=STD / added**0.5 if adds else STD)
        if isinstance(module, nn.Linear) and module.bias is not None and name.startswith("blocks."):
            nn.init.zeros_(module.bias)
