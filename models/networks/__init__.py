"""Plain `nn.Module`s, built from a typed configuration and the manifest; devices and ranks are not their business.

What they take and give, and what they tell of themselves, is said by `models.networks.network.Network`.
"""

from conf.manifest import Manifest
from conf.networks import AnyNetwork, Cnn, Mlp
from models.networks.cnn import cnn
from models.networks.mlp import mlp
from models.networks.network import Network


def build(model: AnyNetwork, manifest: Manifest) -> Network:
    """Build the network that `model` names, for the columns, the label and the task of `manifest`.

    That the network can take these columns, `conf.networks.check_columns` has seen to.
    """
    match model:
        case Mlp():
            return mlp(model, manifest)
        case Cnn():
            return cnn(model, manifest)
