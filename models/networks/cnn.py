"""Convolutional blocks for one image, then fully connected ones."""

import torch
from torch import Tensor, nn

from conf.manifest import Manifest
from conf.networks import Cnn
from models.networks.network import Network, Scalars, head
from models.networks.parts import dense

KERNEL = 3


class Convolution(nn.Conv2d):
    """A convolution that keeps height and width, and knows at how many `places` it is used."""

    def __init__(self, channels_in: int, channels: int, places: int) -> None:
        """Make one; what follows has a bias."""
        super().__init__(channels_in, channels, KERNEL, padding="same", bias=False)
        self.places = places


class ImageBlock(nn.Module):
    """Convolution, normalisation, activation, pooling, dropout: `(batch, c, h, w)` to half of `h` and `w`, rounded up.

    Each row is normalised by itself (Wu and He 2018): there are no running statistics, which ranks would have to share.
    The other columns' `(batch, scalars)` go along.
    """

    def __init__(self, channels_in: int, channels: int, places: int, dropout: float) -> None:
        """Make one block for images of so many `places`, which are pixels."""
        super().__init__()
        self.image = nn.Sequential(
            Convolution(channels_in, channels, places),
            nn.GroupNorm(1, channels),
            nn.GELU(),
            nn.MaxPool2d(2, ceil_mode=True),
            nn.Dropout(dropout),
        )

    def forward(self, image: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
        """Change the image."""
        return self.image(image), row


class Beside(nn.Module):
    """An image and the scalars of the other columns, as the first state."""

    def __init__(self, manifest: Manifest, widest: int) -> None:
        """Make the embeddings, at most so wide."""
        super().__init__()
        self.scalars = Scalars(manifest, widest)

    def forward(self, numeric: Tensor, categorical: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """Give `(batch, c, h, w)` and `(batch, scalars)`."""
        return image, self.scalars(numeric, categorical)


class Join(nn.Module):
    """What is left of the image, averaged, with the other columns beside it: `(batch, c + scalars)`."""

    def forward(self, image: Tensor, row: Tensor) -> Tensor:
        """Join them."""
        return torch.cat((image.mean(dim=(2, 3)), row), dim=1)


def cnn(model: Cnn, manifest: Manifest) -> Network:
    """Make a convolutional network for the columns, the label and the task of `manifest`, which has one image."""
    stem = Beside(manifest, model.embedding_max)
    (column,) = manifest.tensors
    channels, height, width = column.shape
    blocks: list[nn.Module] = []
    for wanted in model.channels:
        blocks.append(ImageBlock(channels, wanted, height * width, model.dropout))
        channels, height, width = wanted, -(-height // 2), -(-width // 2)
    joined = channels + stem.scalars.out_features
    blocks += [Join(), *dense(joined, model.hidden, model.dropout)]
    return Network(stem, blocks, head((model.hidden or [joined])[-1], manifest))
