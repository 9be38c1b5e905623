"""A transformer over columns, FT-Transformer.

Gorishniy et al. 2021, "Revisiting Deep Learning Models for Tabular Data", section 3.3.
"""

import torch
from torch import Tensor, nn

from conf.manifest import Manifest
from conf.networks import FtTransformer
from models.networks.network import Network, normalised_head
from models.networks.parts import Codes
from models.networks.transformer import Attention, GatedFeedForward, TransformerBlock


class Tokenizer(nn.Module):
    """A token for each column: a number times a vector, a code's vector, or a tensor's numbers times a matrix.

    Each column has a bias. That of no column is the first token, [CLS], which the head reads. What train never had is
    a code whose vector starts at 0, so such a token is its bias alone.
    """

    def __init__(self, manifest: Manifest, width: int) -> None:
        """Make the vectors."""
        super().__init__()
        numbers, cardinalities = len(manifest.numeric), [column.cardinality for column in manifest.categorical]
        reach = width**-0.5
        self.vectors = nn.Parameter(torch.empty(numbers, width).uniform_(-reach, reach)) if numbers else None
        self.codes = Codes(cardinalities, width, std=reach / 3**0.5) if cardinalities else None  # as spread as vectors
        self.tensors = nn.ModuleList(nn.Linear(column.size, width, bias=False) for column in manifest.tensors)
        self.tokens = 1 + numbers + len(cardinalities) + len(self.tensors)
        self.bias = nn.Parameter(torch.empty(self.tokens, width).uniform_(-reach, reach))

    def forward(self, numeric: Tensor, categorical: Tensor, *tensors: Tensor) -> Tensor:
        """Map inputs to `(batch, 1 + columns, width)`."""
        tokens = [self.bias.new_zeros(len(numeric), 1, self.bias.shape[1])]
        if self.vectors is not None:
            tokens.append(numeric.unsqueeze(2) * self.vectors)
        if self.codes is not None:
            tokens.append(self.codes(categorical))
        tokens += [layer(tensor.flatten(1)).unsqueeze(1) for layer, tensor in zip(self.tensors, tensors, strict=True)]
        return torch.cat(tokens, dim=1) + self.bias


class First(nn.Module):
    """The state of the first place: `(batch, places, width)` to `(batch, width)`."""

    def forward(self, state: Tensor) -> Tensor:
        """Take it."""
        return state[:, 0]


def ft_transformer(model: FtTransformer, manifest: Manifest) -> Network:
    """Make a feature tokenizer and a transformer for the columns, the label and the task of `manifest`."""
    stem, width = Tokenizer(manifest, model.width), model.width
    blocks = [
        TransformerBlock(
            width,
            stem.tokens,
            Attention(width, model.heads, model.attention_dropout, causal=False),
            GatedFeedForward(width, model.hidden, model.dropout),
            dropout=model.residual_dropout,
        )
        for _ in range(model.blocks)
    ]
    blocks[0].attention_norm = nn.Identity()  # tokens that were never normalised train better (section 3.3)
    return Network(stem, blocks, nn.Sequential(First(), *normalised_head(width, manifest)))
