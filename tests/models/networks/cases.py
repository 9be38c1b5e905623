"""A small one of each network, for tests that hold for all of them."""

from collections.abc import Mapping

from conf.networks import AnyNetwork, Cnn, FtTransformer, Mlp, Resnet

SMALL: Mapping[str, AnyNetwork] = {
    "mlp": Mlp(name="mlp", hidden=[16, 16, 8], dropout=0.1, embedding_max=4),
    "cnn": Cnn(name="cnn", channels=[4, 8], hidden=[8], dropout=0.1, embedding_max=4),
    "resnet": Resnet(name="resnet", blocks=5, width=16, hidden=24, dropout=0.1, residual_dropout=0.1, embedding_max=4),
    "ft_transformer": FtTransformer(
        name="ft_transformer",
        blocks=4,
        width=16,
        heads=4,
        hidden=12,
        dropout=0.1,
        attention_dropout=0.1,
        residual_dropout=0.1,
    ),
}
DROPOUTS = ("dropout", "attention_dropout", "residual_dropout")


def without_dropout(model: AnyNetwork) -> AnyNetwork:
    """The same network, the same in every pass."""
    return model.model_copy(update={name: 0.0 for name in DROPOUTS if hasattr(model, name)})
