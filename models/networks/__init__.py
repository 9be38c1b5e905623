"""Plain `nn.Module`s, built from a typed configuration and the manifest; devices and ranks are not their business.

What they take and give, and what they tell of themselves, is said by `models.networks.network.Network`.
"""

from conf.manifest import Manifest
from conf.networks import AnyNetwork, Cnn, FtTransformer, Mlp, Resnet
from models.networks.cnn import cnn
from models.networks.ft_transformer import ft_transformer
from models.networks.mlp import mlp
from models.networks.network import Network
from models.networks.resnet import resnet


def build(model: AnyNetwork, manifest: Manifest) -> Network:
    """Build the network that `model` names, for the columns, the label and the task of `manifest`.

    That the network can take these columns, `conf.networks.check_columns` has seen to.
    """
    match model:
        case Mlp():
            return mlp(model, manifest)
        case Cnn():
            return cnn(model, manifest)
        case Resnet():
            return resnet(model, manifest)
        case FtTransformer():
            return ft_transformer(model, manifest)
