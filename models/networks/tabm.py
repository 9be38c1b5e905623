"""Many perceptrons in one, TabM.

Gorishniy et al. 2024, "TabM: Advancing Tabular Deep Learning With Parameter-Efficient Ensembling", section 3.3.

All members share the matrix of each layer, which is most of the weights. Each has a vector before it, one behind it and
a bias of its own (BatchEnsemble, Wen et al. 2020), and a head of its own. What makes them differ at the start is the
vector before the first layer, of random signs; the other vectors are ones.

With `number_bins`, each number is embedded piece by piece in straight lines (Gorishniy et al. 2022, "On Embeddings for
Numerical Features in Tabular Deep Learning", section 3.1). The paper cuts at quantiles of train. Here a network knows a
feature set by its manifest alone, which has mean and deviation: pieces are cut at quantiles of what a column would be
if it were normal, or uniform where its encoding makes it so. The first and the last piece go on beyond their ends.
"""

from collections.abc import Mapping
from statistics import NormalDist
from typing import ClassVar

import torch
from torch import Tensor, nn

from conf.columns import Cyclic, NumberColumn, Numeric, Quantile, Target
from conf.manifest import Manifest
from conf.networks import Tabm
from models.networks.network import Flat, Network
from models.networks.parts import Split, prior_logits

UNIFORM_END = 3**0.5  # of a uniform distribution of deviation 1
OUTERMOST = 0.005  # share of train beyond the first and the last cut of a normal column


class Shared(nn.Linear):
    """The matrix that members share, which is used once by each."""

    def __init__(self, width_in: int, width: int, members: int) -> None:
        """Make one; biases are the members' own."""
        super().__init__(width_in, width, bias=False)
        self.places = members


class MembersBlock(nn.Module):
    """Linear with vectors of each member, ReLU, dropout: `(batch, members, width_in)` to `(batch, members, width)`.

    The first one takes `(batch, width_in)`, which all members see.
    """

    splits: ClassVar[Mapping[str, Split]] = {"linear": "gathered"}

    def __init__(self, width_in: int, width: int, members: int, dropout: float) -> None:
        """Make one; biases begin alike in all members."""
        super().__init__()
        self.linear = Shared(width_in, width, members)
        self.before, self.behind = nn.Parameter(torch.ones(members, width_in)), nn.Parameter(torch.ones(members, width))
        reach = width_in**-0.5
        self.bias = nn.Parameter(torch.empty(width).uniform_(-reach, reach).repeat(members, 1))
        self.rest = nn.Sequential(nn.ReLU(), nn.Dropout(dropout))

    def forward(self, state: Tensor) -> Tensor:
        """Change what each member has."""
        each = state if state.dim() > self.before.dim() else state.unsqueeze(1)
        changed: Tensor = self.rest(torch.addcmul(self.bias, self.linear(each * self.before), self.behind))
        return changed


class Heads(nn.Module):
    """A linear layer for each member: `(batch, members, width)` to `(batch, members, outputs)`; each says the prior."""

    def __init__(self, width: int, members: int, manifest: Manifest) -> None:
        """Make them."""
        super().__init__()
        reach, prior = width**-0.5, prior_logits(manifest)
        self.weight = nn.Parameter(torch.empty(members, width, len(prior)).uniform_(-reach, reach))
        self.bias = nn.Parameter(prior.repeat(members, 1))

    def forward(self, state: Tensor) -> Tensor:
        """Give each member's outputs."""
        return torch.einsum("bmw,mwo->bmo", state, self.weight) + self.bias


class Pieces(nn.Module):
    """Numbers embedded piece by piece: `(batch, n)` to `(batch, n * width)`.

    Of the pieces below a number there is all, of that where it lies its share, of those above nothing.
    """

    low: Tensor
    length: Tensor
    least: Tensor
    most: Tensor

    def __init__(self, manifest: Manifest, bins: int, width: int) -> None:
        """Cut each column into so many pieces."""
        super().__init__()
        cuts = torch.tensor(
            [cut for column in manifest.columns if isinstance(column, NumberColumn) for cut in _cuts(column, bins)]
        )
        least, most = torch.zeros(bins), torch.ones(bins)
        least[0], most[-1] = -torch.inf, torch.inf
        named = {"low": cuts[:, :-1], "length": cuts.diff(dim=1), "least": least, "most": most}
        for name, values in named.items():
            self.register_buffer(name, values, persistent=False)
        reach = bins**-0.5
        self.weight = nn.Parameter(torch.empty(len(cuts), bins, width).uniform_(-reach, reach))
        self.bias = nn.Parameter(torch.empty(len(cuts), width).uniform_(-reach, reach))

    def forward(self, numeric: Tensor) -> Tensor:
        """Embed them."""
        shares = (numeric.unsqueeze(2) - self.low) / self.length
        pieces = shares.clamp(self.least, self.most)
        return (torch.einsum("bnp,npw->bnw", pieces, self.weight) + self.bias).flatten(1)


def _cuts(column: NumberColumn, bins: int) -> list[list[float]]:
    """Ends of the pieces of each encoded number of a column."""
    even = [step / bins for step in range(bins + 1)]
    match column:
        case Numeric() | Target():
            normal = NormalDist()
            values = [normal.inv_cdf(OUTERMOST + (1 - 2 * OUTERMOST) * share) for share in even]
        case Quantile():
            values = [UNIFORM_END * (2 * share - 1) for share in even]
        case Cyclic():
            values = [2 * share - 1 for share in even]
    return [even if name not in column.values else values for name in column.encoded]  # an indicator is 0 or 1


class Inputs(nn.Module):
    """All columns laid flat, numbers as they are or embedded: `(batch, out_features)`."""

    def __init__(self, model: Tabm, manifest: Manifest) -> None:
        """Make the embeddings."""
        super().__init__()
        self.flat = Flat(manifest, model.embedding_max)
        self.numbers = len(manifest.numeric)
        wanted = model.number_bins > 0 and self.numbers > 0
        self.pieces = Pieces(manifest, model.number_bins, model.number_width) if wanted else None
        self.widths = [model.number_width if wanted else 1] * self.numbers
        self.widths += [1] * (self.flat.out_features - self.numbers)

    def forward(self, numeric: Tensor, categorical: Tensor, *tensors: Tensor) -> Tensor:
        """Map inputs to the first state."""
        row: Tensor = self.flat(numeric, categorical, *tensors)
        return row if self.pieces is None else torch.cat((self.pieces(numeric), row[:, self.numbers :]), dim=1)


def tabm(model: Tabm, manifest: Manifest) -> Network:
    """Make members for the columns, the label and the task of `manifest`."""
    stem = Inputs(model, manifest)
    width, blocks = sum(stem.widths), []
    for wanted in model.hidden:
        blocks.append(MembersBlock(width, wanted, model.members, model.dropout))
        width = wanted
    signs = torch.randint(0, 2, (model.members, len(stem.widths))) * 2.0 - 1
    column = [place for place, each in enumerate(stem.widths) for _ in range(each)]  # all of a number has one sign
    with torch.no_grad():
        blocks[0].before.copy_(signs[:, column])
    return Network(stem, blocks, Heads(width, model.members, manifest))
