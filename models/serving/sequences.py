"""What a decoder says of sequences: how well it predicts their own tokens, and what it expects to follow."""

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from conf.columns import TensorColumn
from conf.errors import FranklinError
from conf.manifest import Manifest
from models.serving.predict import PREDICTION, Floats, at_once, judge_tokens, score_columns
from models.serving.tensors import encode_text

PROBABILITIES = "probabilities"
NONE = torch.empty(0, 0)  # columns beside the sequence


@torch.inference_mode()
def expected(network: nn.Module, rows: list[Tensor], column: TensorColumn) -> Floats:
    """Give `(batch, classes)` probabilities of what follows each row of `(tokens,)`, of which the last few count."""
    seen = [tokens[-(column.size - 1) :] for tokens in rows]
    logits: Tensor = network(NONE, NONE, pad_sequence(seen, batch_first=True)).double()
    last = logits[torch.arange(len(seen)), torch.tensor([len(tokens) - 1 for tokens in seen])]
    return last.softmax(dim=1).numpy()


def answer_texts(network: nn.Module, frame: pd.DataFrame, manifest: Manifest) -> pd.DataFrame:
    """Say of each text how well it was predicted, and what comes next.

    Args:
        network: as it was trained.
        frame: the texts, of any length; if one is longer than a row of training, its end counts.
        manifest: of the feature set.

    Returns:
        `log_loss` in nats and `accuracy` over the text's characters but the first (NaN if it has no other),
        `prediction`, the likeliest next character, and `probabilities` of each, in the order of `Label.classes`.

    Raises:
        FranklinError: the column is missing, or a row has no text.

    """
    (column,) = manifest.tensors
    if column.name not in frame:
        raise FranklinError(f"the rows lack {column.name}; the model takes {column.name}")
    rows = [tokens[-column.size :] for tokens in encode_text(frame[column.name], column)]
    some = at_once(column.size)
    parts = [rows[first : first + some] for first in range(0, len(rows), some)]
    own = [np.empty((0, 2)), *(_own(network, part) for part in parts)]
    following = [np.empty((0, column.tokens)), *(expected(network, part, column) for part in parts)]
    given = pd.DataFrame(np.concatenate(own), columns=score_columns(manifest), index=frame.index)
    probabilities = np.concatenate(following)
    given[PREDICTION] = np.array(manifest.label.classes, dtype=object)[probabilities.argmax(axis=1)]
    given[PROBABILITIES] = probabilities.tolist()
    return given


def _own(network: nn.Module, rows: list[Tensor]) -> Floats:
    tokens = pad_sequence([row[:-1] for row in rows], batch_first=True)
    if not tokens.shape[1]:  # no text of this part has two characters
        return np.full((len(rows), 2), np.nan)
    following = pad_sequence([row[1:] for row in rows], batch_first=True, padding_value=-1)
    return judge_tokens(network, (NONE, NONE, tokens), following)
