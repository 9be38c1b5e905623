"""Outputs of a network of several members, `(batch, members, outputs)`: each learns by itself, all are heard as one.

Those of other networks, `(batch, outputs)`, go through as they are.
"""

import math

from torch import Tensor
from torch.nn.functional import logsigmoid

WITH_MEMBERS = 3  # dimensions


def has_members(output: Tensor) -> bool:
    """Whether they are of several members."""
    return output.dim() == WITH_MEMBERS


def one_by_one(output: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
    """Lay members among the rows, each with the row's label, so that a mean over rows is one over members too."""
    if not has_members(output):
        return output, label
    return output.flatten(0, 1), label.repeat_interleave(output.shape[1])


def heard_as_one(scores: Tensor) -> Tensor:
    """Average members' probabilities or values to `(batch, outputs)` (Gorishniy et al. 2024, TabM, section 3.1)."""
    return scores.mean(dim=1) if has_members(scores) else scores


def binary_log_losses(logits: Tensor, label: Tensor) -> Tensor:
    """Log loss of the members' mean probability, `(batch,)`, from `(batch, members)` logits and labels of 0 and 1."""
    signed = logits * (2 * label - 1).unsqueeze(1)  # the logit of what is true
    return math.log(logits.shape[1]) - logsigmoid(signed).logsumexp(dim=1)


def mean_log_probabilities(logits: Tensor) -> Tensor:
    """Logarithms of the members' mean probabilities, `(batch, classes)`, from `(batch, members, classes)` logits."""
    return logits.log_softmax(dim=2).logsumexp(dim=1) - math.log(logits.shape[1])
