"""Convolutional blocks for one image, then fully connected ones."""

import torch
from torch import Tensor, nn

from conf.manifest import Manifest
from conf.schema import Cnn
from models.networks.network import Network, head
from models.networks.parts import dense

KERNEL = 3


class Convolution(nn.Conv2d):
    """A convolution that keeps height and width, and knows at how many `places` it is used."""

    def __init__(self, channels_in: int, channels: int, places: int) -> None:
        """Make one; what follows has a bias."""
        super().__init__(channels_in, channels, KERNEL, padding="same", bias=False)
        self.places = places


class ConvBlock(nn.Sequential):
    """Convolution, normalisation, activation, pooling, dropout: `(batch, c, h, w)` to half of `h` and `w`, rounded up.

    Each row is normalised by itself (Wu and He 2018): there are no running statistics, which ranks would have to share.
    """

    def __init__(self, channels_in: int, channels: int, places: int, dropout: float) -> None:
        """Make one block for images of so many `places`, which are pixels."""
        super().__init__(
            Convolution(channels_in, channels, places),
            nn.GroupNorm(1, channels),
            nn.GELU(),
            nn.MaxPool2d(2, ceil_mode=True),
            nn.Dropout(dropout),
        )


class CnnNetwork(Network):
    """A convolutional network; what is left of the image is averaged, and other columns join it there."""

    def __init__(self, model: Cnn, manifest: Manifest) -> None:
        """Make the network for the columns, the label and the task of `manifest`, which has one image."""
        super().__init__(manifest, model.embedding_max)
        (column,) = manifest.tensors
        channels, height, width = column.shape
        self.blocks = nn.ModuleList()
        for wanted in model.channels:
            self.blocks.append(ConvBlock(channels, wanted, height * width, model.dropout))
            channels, height, width = wanted, -(-height // 2), -(-width // 2)
        self.convolutions = len(self.blocks)
        self.blocks.extend(dense(channels + self.scalars, model.hidden, model.dropout))
        self.head = head((model.hidden or [channels + self.scalars])[-1], manifest)

    def forward(self, numeric: Tensor, categorical: Tensor, image: Tensor) -> Tensor:
        """Map a batch to `(batch, outputs)`; see `Network`."""
        blocks = list(self.blocks)
        for block in blocks[: self.convolutions]:
            image = block(image)
        row = torch.cat((image.mean(dim=(2, 3)), self.side_by_side(numeric, categorical)), dim=1)
        for block in blocks[self.convolutions :]:
            row = block(row)
        output: Tensor = self.head(row)
        return output
