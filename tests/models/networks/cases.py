"""A small one of each network, for tests that hold for all of them: `SMALL` for rows of columns, `EVERY` with texts."""

from collections.abc import Mapping

from conf.data import Task
from conf.networks import AnyNetwork, Cnn, Decoder, FtTransformer, Mlp, Realmlp, Resnet, Tabm

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
    "tabm": Tabm(
        name="tabm", members=3, hidden=[16, 16, 8], dropout=0.1, embedding_max=4, number_bins=5, number_width=4
    ),
    "realmlp": Realmlp(
        name="realmlp",
        hidden=[16, 16, 8],
        dropout=0.1,
        one_hot_max=3,  # so that of two columns one has more
        embedding=4,
        frequencies=6,
        frequency_scale=0.1,
        number_width=4,
    ),
}
SMALL_DECODER = Decoder(
    name="decoder", blocks=4, width=16, heads=4, hidden=24, dropout=0.1, attention_dropout=0.1, residual_dropout=0.1
)
EVERY: Mapping[str, AnyNetwork] = {**SMALL, "decoder": SMALL_DECODER}
DROPOUTS = ("dropout", "attention_dropout", "residual_dropout")


def task_of(name: str, of_columns: Task) -> Task:
    """What a network is asked in a test that asks those for columns `of_columns`."""
    return "sequence" if name == "decoder" else of_columns


def without_dropout(model: AnyNetwork) -> AnyNetwork:
    """The same network, the same in every pass."""
    return model.model_copy(update={name: 0.0 for name in DROPOUTS if hasattr(model, name)})
