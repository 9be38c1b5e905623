"""A perceptron with a recipe for tables: Holzmueller et al. 2024, "Better by Default", section 3 and appendix A.

RealMLP-TD as far as a network is concerned: smooth clipping, periodic embeddings of numbers, one-hot codes, a scaling
layer, the neural tangent parametrisation, activations with a parameter, dropout that fades. The optimizer's part is in
`conf/model/realmlp.yaml`. What has a learning rate of its own, f times that of the rest, is f times a parameter which
starts 1/f times as large: to Adam, whose steps know no scale of gradients, that is the same, and all parameters are in
one group, whatever the strategy does with them. The decay would not be the same, so only matrices have it.

Where it differs from the paper, for a network knows a feature set by its manifest alone:

- numbers are standardised by mean and deviation, not by median and quartiles (a column's `scaling: quantile` has none
  that lie far out);
- weights start with variance 1 by the parametrisation, not by what they make of train rows, and biases with what the
  paper's start has where those are standard normal;
- outputs of a regression are not clamped to the labels of train;
- two classes have one logit, and labels are not smoothed: AUC and log loss decide here, for which the paper advises
  against it (RealMLP-TD without label smoothing).
"""

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from conf.columns import RESERVED_CODES, UNKNOWN
from conf.manifest import Manifest
from conf.networks import Realmlp
from models.networks.network import Network
from models.networks.parts import Codes, FadingDropout, Split, prior_logits

CLIP = 3.0  # no number is further out
BIAS_RATE = ACTIVATION_RATE = EMBEDDING_RATE = 0.1  # factors of the learning rate
SCALE_RATE = 6.0
TURN = 2 * math.pi * EMBEDDING_RATE
CORNERS = 5  # rows between which a unit's hyperplane goes through


def smooth_clip(numbers: Tensor) -> Tensor:
    """Keep numbers near 0 as they are, and all within -CLIP and CLIP: x / sqrt(1 + (x / CLIP)^2)."""
    return numbers / (1 + (numbers / CLIP).square()).sqrt()


class Periodic(nn.Module):
    """A number beside a linear layer of cosines of it, `(batch, n)` to `(batch, n * width)`.

    (x, W2 cos(2 pi w1 x + b1) + b2), with weights of its own for each number: the paper's PBLD.
    """

    def __init__(self, numbers: int, frequencies: int, scale: float, width: int) -> None:
        """Make the embeddings of so many numbers."""
        super().__init__()
        reach, phase = frequencies**-0.5 / EMBEDDING_RATE, math.pi / EMBEDDING_RATE
        self.frequency = nn.Parameter(torch.randn(numbers, 1, frequencies) * (scale / EMBEDDING_RATE))
        self.phase = nn.Parameter(torch.empty(numbers, 1, frequencies).uniform_(-phase, phase))
        self.weight = nn.Parameter(torch.empty(numbers, frequencies, width - 1).uniform_(-reach, reach))
        self.bias = nn.Parameter(torch.empty(numbers, 1, width - 1).uniform_(-reach, reach))

    def forward(self, numeric: Tensor) -> Tensor:
        """Embed them."""
        each = numeric.t().unsqueeze(2)  # (n, batch, 1), so that a product goes over all numbers
        waves = torch.cos(torch.addcmul(EMBEDDING_RATE * self.phase, each, self.frequency, value=TURN))
        linear = torch.baddbmm(self.bias, waves, self.weight, beta=EMBEDDING_RATE, alpha=EMBEDDING_RATE)
        return torch.cat((each, linear), dim=2).transpose(0, 1).flatten(1)


class Marked(nn.Module):
    """Codes of small columns one-hot, those of others embedded: `(batch, m)` to `(batch, out_features)`.

    What train never had is 0 everywhere.
    """

    offsets: Tensor
    small: Tensor
    large: Tensor

    def __init__(self, cardinalities: list[int], one_hot_max: int, width: int) -> None:
        """Look at the columns, whose cardinalities count the reserved codes."""
        super().__init__()
        small = [place for place, size in enumerate(cardinalities) if size - RESERVED_CODES <= one_hot_max]
        large = [place for place in range(len(cardinalities)) if place not in small]
        sizes = [cardinalities[place] - 1 for place in small]  # UNKNOWN has no place
        self.ones = sum(sizes)
        starts = [sum(sizes[:column]) - 1 for column in range(len(small))]
        self.register_buffer("small", torch.tensor(small, dtype=torch.int64), persistent=False)
        self.register_buffer("large", torch.tensor(large, dtype=torch.int64), persistent=False)
        self.register_buffer("offsets", torch.tensor(starts, dtype=torch.int64), persistent=False)
        self.table = Codes([cardinalities[place] for place in large], width, std=1.0) if large else None
        self.out_features = self.ones + width * len(large)

    def forward(self, codes: Tensor) -> Tensor:
        """Look up codes."""
        marked = torch.zeros(len(codes), self.ones, device=codes.device)
        known = codes.index_select(1, self.small)
        places = (known + self.offsets).clamp(min=0)
        marked = marked.scatter_add(1, places, (known != UNKNOWN).to(marked.dtype))
        if self.table is None:
            return marked
        return torch.cat((marked, self.table(codes.index_select(1, self.large)).flatten(1)), dim=1)


class Scaled(nn.Module):
    """All columns side by side, each times a number that is learned: `(batch, out_features)`.

    Numbers of tensors lie there as they are, clipped: a pixel has no embedding of its own.
    """

    def __init__(self, model: Realmlp, manifest: Manifest) -> None:
        """Make the embeddings."""
        super().__init__()
        numbers, cardinalities = len(manifest.numeric), [column.cardinality for column in manifest.categorical]
        self.numbers = (
            Periodic(numbers, model.frequencies, model.frequency_scale, model.number_width) if numbers else None
        )
        self.codes = Marked(cardinalities, model.one_hot_max, model.embedding) if cardinalities else None
        self.out_features = numbers * model.number_width + sum(column.size for column in manifest.tensors)
        self.out_features += self.codes.out_features if self.codes else 0
        self.scale = nn.Parameter(torch.full((self.out_features,), 1 / SCALE_RATE))

    def forward(self, numeric: Tensor, categorical: Tensor, *tensors: Tensor) -> Tensor:
        """Map inputs to the first state."""
        parts = [] if self.numbers is None else [self.numbers(smooth_clip(numeric))]
        parts += [] if self.codes is None else [self.codes(categorical)]
        parts += [smooth_clip(tensor.flatten(1)) for tensor in tensors]
        return torch.cat(parts, dim=1) * (SCALE_RATE * self.scale)


class Tangent(nn.Module):
    """A linear layer in the neural tangent parametrisation: W x / sqrt(width_in) + b, W standard normal at the start.

    Its bias is `bias` times `BIAS_RATE`.
    """

    def __init__(self, width_in: int, width: int, bias: Tensor | None = None) -> None:
        """Make one that starts with a bias, or as He+5 does: see `plane_biases`."""
        super().__init__()
        self.linear = nn.Linear(width_in, width, bias=False)
        nn.init.normal_(self.linear.weight)
        self.bias = nn.Parameter((plane_biases(width) if bias is None else bias) / BIAS_RATE)
        self.gain = width_in**-0.5

    def forward(self, state: Tensor) -> Tensor:
        """Map `(batch, width_in)` to `(batch, width)`."""
        return torch.add(BIAS_RATE * self.bias, self.linear(state), alpha=self.gain)


def plane_biases(width: int) -> Tensor:
    """Biases with which a unit is 0 at a random point between `CORNERS` rows (Steinwart 2019, "A Sober Look ...").

    What a unit makes of a row before the bias is taken as standard normal.
    """
    shares = torch.empty(width, CORNERS).exponential_()
    return -(torch.randn(width, CORNERS) * shares / shares.sum(dim=1, keepdim=True)).sum(dim=1)


class Activation(nn.Module):
    """(1 - a) x + a f(x) with an `a` for each unit, 1 at the start; f is SELU for classes and Mish for a regression."""

    def __init__(self, width: int, *, regression: bool) -> None:
        """Make one for so many units."""
        super().__init__()
        self.function = nn.Mish() if regression else nn.SELU()
        self.share = nn.Parameter(torch.full((width,), 1 / ACTIVATION_RATE))

    def forward(self, state: Tensor) -> Tensor:
        """Mix."""
        return torch.lerp(state, self.function(state), ACTIVATION_RATE * self.share)


class TangentBlock(nn.Module):
    """Linear, activation, dropout: `(batch, width_in)` to `(batch, width)`."""

    splits: ClassVar[Mapping[str, Split]] = {"layer.linear": "gathered"}

    def __init__(self, width_in: int, width: int, dropout: float, *, regression: bool) -> None:
        """Make one."""
        super().__init__()
        self.layer, self.dropout = Tangent(width_in, width), FadingDropout(dropout)
        self.activation = Activation(width, regression=regression)

    def forward(self, state: Tensor) -> Tensor:
        """Change the state."""
        changed: Tensor = self.dropout(self.activation(self.layer(state)))
        return changed


def realmlp(model: Realmlp, manifest: Manifest) -> Network:
    """Make a perceptron for the columns, the label and the task of `manifest`."""
    stem = Scaled(model, manifest)
    width, blocks = stem.out_features, []
    for wanted in model.hidden:
        blocks.append(TangentBlock(width, wanted, model.dropout, regression=manifest.task == "regression"))
        width = wanted
    prior = prior_logits(manifest)
    return Network(stem, blocks, Tangent(width, len(prior), prior))
