"""What transformers are made of: blocks of self-attention and of a feed-forward layer, whose halves ranks can share."""

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from models.networks.parts import Grouped, Split


class Attention(nn.Module):
    """Self-attention of several heads: `(batch, places, width)` to the same (Vaswani et al. 2017, section 3.2.2).

    Query, key and value of a head lie side by side, so that a rank which has some of the outputs has whole heads; how
    many it has is told by their width. They have no bias: softmax takes a key's away, so its gradient would be nothing
    but rounding, which Adam makes steps of, and what is normalised before has one.
    """

    def __init__(self, width: int, heads: int, dropout: float, *, causal: bool) -> None:
        """Make one whose heads are all of one width; if `causal`, a place sees those before it and itself alone."""
        super().__init__()
        self.head_width, self.dropout, self.causal = width // heads, dropout, causal
        self.inputs = Grouped(width, heads, 3 * self.head_width, "heads", bias=False)
        self.output = nn.Linear(width, width)

    def forward(self, state: Tensor) -> Tensor:
        """Mix the places."""
        heads = self.inputs(state).unflatten(-1, (-1, 3, self.head_width))
        query, key, value = heads.permute(3, 0, 2, 1, 4)  # (batch, heads, places, head width) each
        dropout = self.dropout if self.training else 0.0
        mixed = scaled_dot_product_attention(query, key, value, dropout_p=dropout, is_causal=self.causal)
        changed: Tensor = self.output(mixed.transpose(1, 2).flatten(2))
        return changed


class FeedForward(nn.Module):
    """Linear, GELU, dropout, linear, at each place by itself: `(batch, places, width)` to the same."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        """Make one that is `hidden` wide between its layers."""
        super().__init__()
        self.first, self.second = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.between = nn.Sequential(nn.GELU(), nn.Dropout(dropout))

    def forward(self, state: Tensor) -> Tensor:
        """Change each place."""
        changed: Tensor = self.second(self.between(self.first(state)))
        return changed


class GatedFeedForward(nn.Module):
    """A feed-forward layer with ReGLU, a product of two halves of which one is rectified (Shazeer 2020, section 2).

    A number and its gate lie side by side, so that ranks split no pair.
    """

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        """Make one that is `hidden` wide between its layers."""
        super().__init__()
        self.first, self.second = Grouped(width, hidden, 2, "pairs"), nn.Linear(hidden, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, state: Tensor) -> Tensor:
        """Change each place."""
        number, gate = self.first(state).unflatten(-1, (-1, 2)).unbind(-1)
        changed: Tensor = self.second(self.dropout(number * gate.relu()))
        return changed


class TransformerBlock(nn.Module):
    """Attention and a feed-forward layer, each normalised first and added to what it takes (Xiong et al. 2020).

    `(batch, places, width)` to the same.
    """

    splits: ClassVar[Mapping[str, Split]] = {
        "attention.inputs": "columns",
        "attention.output": "rows",
        "feed_forward.first": "columns",
        "feed_forward.second": "rows",
    }

    def __init__(
        self, width: int, places: int, attention: Attention, feed_forward: nn.Module, *, dropout: float
    ) -> None:
        """Put the parts together; `dropout` is of what is added."""
        super().__init__()
        self.places = places
        self.attention_norm: nn.Module = nn.LayerNorm(width)
        self.attention = attention
        self.feed_forward_norm, self.feed_forward = nn.LayerNorm(width), feed_forward
        self.dropout = nn.Dropout(dropout)

    def forward(self, state: Tensor) -> Tensor:
        """Change the places."""
        state = state + self.dropout(self.attention(self.attention_norm(state)))
        changed: Tensor = state + self.dropout(self.feed_forward(self.feed_forward_norm(state)))
        return changed
