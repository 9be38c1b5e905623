"""Plain `nn.Module`s, built from a typed configuration and the manifest; devices and ranks are not their business."""

from torch import nn

from conf.manifest import Manifest
from conf.schema import Mlp
from models.networks.mlp import MlpNetwork


def build(model: Mlp, manifest: Manifest) -> nn.Module:
    """Build the network that `model` names, for the columns, the label and the task of `manifest`.

    Its forward takes `(numeric (batch, n), categorical (batch, m))` and gives `(batch, outputs)`: one logit (binary),
    one standardised value (regression) or a logit per class (multiclass).
    """
    return MlpNetwork(model, manifest)
