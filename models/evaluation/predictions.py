"""A split predicted whole, the file that keeps it (`run_folder/predictions/{split}.parquet`), and its rows' days."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from torch import nn

from conf.manifest import WHERE, Manifest, SplitName
from models.evaluation.metrics import Floats, Ints
from models.feeds.feed import Feed
from models.feeds.stored import Stored
from models.serving.predict import at_once, judge_tokens, score_columns, scores

LABEL = "label"
BATCH_ROWS = 8192  # nothing is learned, so the batch of training does not matter


@dataclass(frozen=True)
class Predictions:
    """Scores as `models.evaluation.metrics.judge` takes them, and `(rows, ...)` labels, in the order of the files."""

    scores: Floats
    label: Floats

    @property
    def rows(self) -> int:
        """Rows of the split."""
        return len(self.label)

    def write(self, folder: Path, split: SplitName, manifest: Manifest) -> None:
        """Write `{split}.parquet`: the score columns and the label (class codes, tokens, or the label's own unit)."""
        folder.mkdir(parents=True, exist_ok=True)
        columns = self.scores.reshape(self.rows, -1).T
        label = pa.array(list(self.label)) if manifest.task == "sequence" else self.label
        table = pa.table([*columns, label], names=[*score_columns(manifest), LABEL])
        pq.write_table(table, folder / f"{split}.parquet")

    @classmethod
    def read(cls, folder: Path, split: SplitName, manifest: Manifest) -> "Predictions":
        """Read what `write` wrote."""
        table = pq.read_table(folder / f"{split}.parquet")
        columns = np.stack([table[name].to_numpy() for name in score_columns(manifest)], axis=1)
        scores = columns if columns.shape[1] > 1 else columns[:, 0]
        label = table[LABEL].to_numpy()
        return cls(scores, np.stack(label) if manifest.task == "sequence" else label)


def predict_split(
    network: nn.Module,
    folder: str,
    manifest: Manifest,
    split: SplitName,
    *,
    memory_bytes: int,
    told: Callable[[int], None],
) -> Predictions:
    """Predict a split in the order of its files; `told` hears the rows of each batch."""
    sequence = manifest.task == "sequence"
    rows = at_once(manifest.tensors[0].size) if sequence else BATCH_ROWS
    feed = Feed(Stored(folder, manifest, split, memory_bytes), batch_size=rows, shuffle=False)
    found, labels = [], []
    for batch in feed:
        inputs = batch.inputs
        found.append(judge_tokens(network, inputs, batch.label) if sequence else scores(network, inputs, manifest))
        labels.append(batch.label.double().numpy())
        told(len(batch.label))
    return Predictions(np.concatenate(found), np.concatenate(labels))


def belongings(folder: str, manifest: Manifest, split: SplitName) -> Ints | None:
    """Read the day or group of each row of a split (`Manifest.where`), `(rows,)` in the order of its files.

    That is the order of `predict_split`. None: the feature set does not keep it.
    """
    if manifest.where is None:
        return None
    filesystem, root = fsspec.core.url_to_fs(folder)
    found = []
    for file in manifest.splits[split].files:
        with filesystem.open(f"{root}/{file.path}", "rb") as opened, pq.ParquetFile(opened) as parquet:
            found.append(parquet.read([WHERE]).column(WHERE).to_numpy().astype(np.int64))
    return np.concatenate(found)
