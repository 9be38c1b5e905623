"""The networks, each with its sizes, and what columns it takes."""

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from conf.contests import Known, Value
from conf.data import Data
from conf.kinds import TensorKind
from conf.strict import Positive, Rate, Share, Strict
from conf.training import Checkpointing, Feed, Optimizer, Trainer

IMAGE = 3  # dimensions: channels, height, width
Dropout = Annotated[float, Field(ge=0, lt=1)]


class Mlp(Strict):
    """Embeddings for categories, then fully connected blocks; tensors are laid flat beside the other numbers."""

    name: Literal["mlp"]
    hidden: list[Positive] = Field(min_length=1, description="width of each block")
    dropout: Dropout
    embedding_max: Positive = Field(description="widest embedding of one categorical column")


class Cnn(Strict):
    """Convolutional blocks for one image; other columns join after them, before the fully connected blocks."""

    name: Literal["cnn"]
    channels: list[Positive] = Field(min_length=1, description="of each convolutional block, which halves the image")
    hidden: list[Positive] = Field(description="width of each fully connected block")
    dropout: Dropout
    embedding_max: Positive = Field(description="widest embedding of one categorical column")


class Resnet(Strict):
    """Residual blocks of one width; embeddings and tensors as those of `mlp`."""

    name: Literal["resnet"]
    blocks: Positive
    width: Positive = Field(description="of what goes from block to block")
    hidden: Positive = Field(description="width between the two layers of a block")
    dropout: Dropout = Field(description="between the two layers of a block")
    residual_dropout: Dropout = Field(description="of what a block adds")
    embedding_max: Positive = Field(description="widest embedding of one categorical column")


class _Transformer(Strict):
    blocks: Positive
    width: Positive = Field(description="of a token, over all heads together")
    heads: Positive = Field(description="of attention")
    hidden: Positive = Field(description="width between the two layers of a block's feed-forward part")
    dropout: Dropout = Field(description="between those two layers")
    attention_dropout: Dropout
    residual_dropout: Dropout = Field(description="of what attention and feed-forward part add")

    @model_validator(mode="after")
    def _heads_are_of_one_width(self) -> Self:
        if self.width % self.heads:
            nearest = max(1, round(self.width / self.heads)) * self.heads
            raise ValueError(
                f"{self.heads} heads cannot share a width of {self.width} equally; take model.width={nearest}"
            )
        return self


class FtTransformer(_Transformer):
    """A token for each column, and blocks of attention over these; a tensor is one token."""

    name: Literal["ft_transformer"]


class Decoder(_Transformer):
    """Blocks of attention over a sequence, each place of which sees those before it; for task=sequence."""

    name: Literal["decoder"]


class Tabm(Strict):
    """Many perceptrons that share most of their weights, and whose predictions are averaged; columns as for `mlp`."""

    name: Literal["tabm"]
    members: Positive = Field(description="perceptrons, the paper's k")
    hidden: list[Positive] = Field(min_length=1, description="width of each block")
    dropout: Dropout
    embedding_max: Positive = Field(description="widest embedding of one categorical column")
    number_bins: Annotated[int, Field(ge=0)] = Field(
        description="pieces of each number's piecewise linear embedding; 0: numbers go in as they are"
    )
    number_width: Positive = Field(description="width of such an embedding")


class Realmlp(Strict):
    """A perceptron with all that makes one good on tables (RealMLP-TD); columns as for `mlp`."""

    name: Literal["realmlp"]
    hidden: list[Positive] = Field(min_length=1, description="width of each block")
    dropout: Dropout = Field(description="through half of the training; then it falls to 0")
    one_hot_max: Annotated[int, Field(ge=0)] = Field(description="categorical columns of so many values are one-hot")
    embedding: Positive = Field(description="width of the embedding of a categorical column with more")
    frequencies: Positive = Field(description="of each number's periodic embedding")
    frequency_scale: Rate = Field(description="their standard deviation at the start")
    number_width: Annotated[int, Field(ge=2)] = Field(description="numbers that a number becomes, itself included")


AnyNetwork = Annotated[Mlp | Cnn | Resnet | FtTransformer | Decoder | Tabm | Realmlp, Field(discriminator="name")]
NETWORKS: tuple[str, ...] = tuple(
    get_args(each.model_fields["name"].annotation)[0] for each in get_args(get_args(AnyNetwork)[0])
)


class Learning(Strict):
    """How a network of an ensemble learns."""

    model: AnyNetwork
    optimizer: Optimizer
    trainer: Trainer
    feed: Feed
    checkpointing: Checkpointing


class Member(Strict):
    """A candidate of an ensemble."""

    candidate: Known
    weight: Share
    values: dict[str, Value] = Field(default={}, description="its settings")
    rows: Positive | None = Field(default=None, description="train rows that it is fitted on, by chance; null: all")
    learning: Learning | None = Field(default=None, description="of a network")

    @model_validator(mode="after")
    def _learns(self) -> Self:
        if (self.candidate in NETWORKS) != (self.learning is not None):
            raise ValueError(f"{self.candidate}: learning is of networks, each of which has it")
        return self


class Selected(Strict):
    """What a contest has recommended, where that is no network: a candidate, fitted in one process."""

    name: Literal["selected"]
    candidate: Known | None = Field(description="null: that of the newest contest of the experiment in franklin's home")
    values: dict[str, Value] = Field(description="its settings; those that are missing are the candidate's own")
    rows: Positive | None = Field(default=None, description="train rows that it is fitted on, by chance; null: all")
    members: list[Member] = Field(default=[], description="of an ensemble; a contest finds them")

    @model_validator(mode="after")
    def _is_no_network(self) -> Self:
        if self.candidate in NETWORKS:
            raise ValueError(f"model.candidate={self.candidate} is a network; say model={self.candidate}")
        if (self.candidate == "ensemble") != bool(self.members):
            raise ValueError("an ensemble has the members that a contest has found; say model=selected alone")
        return self


AnyModel = Annotated[AnyNetwork | Selected, Field(discriminator="name")]


def most_stages(network: AnyNetwork) -> int:
    """Parts of a network with parameters of their own, at most: stem, head, and what is between."""
    if isinstance(network, Cnn):
        return len(network.channels) + len(network.hidden) + 2
    return (len(network.hidden) if isinstance(network, Mlp | Tabm | Realmlp) else network.blocks) + 2


def check_columns(network: AnyModel, data: Data) -> None:
    """See that a network can take the columns of a dataset.

    Raises:
        ValueError: it cannot.

    """
    if data.task == "sequence" and not isinstance(network, Decoder):
        raise ValueError(f"model={network.name} takes no text, as {data.name} is one; say model=decoder")
    if data.task != "sequence" and isinstance(network, Decoder):
        raise ValueError(f"model=decoder takes a text and nothing else, and {data.name} is none; say model=mlp")
    shapes = {}
    for name, kind in data.columns.items():
        if not isinstance(kind, TensorKind) or name in data.ignore:
            continue
        if kind.dtype == "int32":
            raise ValueError(
                f"model={network.name} takes no tokens, and {name} of {data.name} is int32; "
                f"say dtype: float32 if these are amounts, or data.ignore=[{name}]"
            )
        shapes[name] = kind.shape
    if isinstance(network, Cnn) and [len(shape) for shape in shapes.values()] != [IMAGE]:
        there = ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "none"
        raise ValueError(
            f"model=cnn takes one tensor column [channels, height, width], and {data.name} has {there}; "
            "say model=mlp, or name an image in data.columns"
        )
