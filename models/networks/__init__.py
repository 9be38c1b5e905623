"""Plain `nn.Module`s, built from a typed configuration and the manifest; devices and ranks are not their business.

What they take and give, and what they tell of themselves, is said by `models.networks.network.Network`.
"""

from conf.manifest import Manifest
from conf.networks import AnyNetwork, Cnn, Decoder, FtTransformer, Mlp, Realmlp, Resnet, Tabm
from models.networks.cnn import cnn
from models.networks.decoder import decoder
from models.networks.ft_transformer import ft_transformer
from models.networks.mlp import mlp
from models.networks.network import Network
from models.networks.realmlp import realmlp
from models.networks.resnet import resnet
from models.networks.tabm import tabm


def build(model: AnyNetwork, manifest: Manifest) -> Network:
    """Build the network that `model` names, for the columns, the label and the task of `manifest`.

    That the network can take these columns, `conf.networks.check_columns` has seen to.
    """
    match model:
        case Mlp():
            made = mlp(model, manifest)
        case Cnn():
            made = cnn(model, manifest)
        case Resnet():
            made = resnet(model, manifest)
        case FtTransformer():
            made = ft_transformer(model, manifest)
        case Decoder():
            made = decoder(model, manifest)
        case Tabm():
            made = tabm(model, manifest)
        case Realmlp():
            made = realmlp(model, manifest)
    return made
