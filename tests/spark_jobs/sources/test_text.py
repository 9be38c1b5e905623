"""A text is cut into rows that ask for each character once, of sections that no two splits share."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from pyspark.sql import SparkSession

from conf import training
from conf.columns import OTHER
from conf.data import Data
from conf.errors import FranklinError
from conf.manifest import SPLITS, Manifest
from models.feeds import open_feed
from spark_jobs.sources.text import ROWS_OF_A_SECTION, cut
from tests.spark_jobs.conftest import Prepare
from tests.spark_jobs.test_parity import check_parity

pytestmark = pytest.mark.spark
LENGTH = 16
BY_SECTION = {"by": "group", "column": "section", "validation": 0.2, "test": 0.2}


def text_data(path: Path | None, **changes: Any) -> Data:
    fields = {"name": "text", "source": "text", "path": path and str(path), "label": "text", "task": "sequence"}
    kinds = {"text": {"kind": "text", "length": LENGTH}}
    return Data.model_validate(
        fields | {"columns": kinds, "ignore": [], "rare_below": 2, "split": BY_SECTION} | changes
    )


def texts_of(folder: Path, manifest: Manifest, split: Any) -> list[str]:
    """The rows of a split, from their tokens."""
    tables = [pq.read_table(folder / file.path) for file in manifest.splits[split].files]
    classes = manifest.label.classes
    return ["".join(classes[token] for token in row) for table in tables for row in table["text"].to_pylist()]


@pytest.mark.parametrize("length", [1, 7, 64])
def test_rows_laid_together_are_the_text(spark: SparkSession, length: int) -> None:
    whole = "".join(chr(ord("a") + i * i % 26) for i in range(1000)) + "é — 🐈\n"
    texts = [("a", whole), ("b", "b" * length), ("c", "c"), ("d", "")]
    found: dict[str, list[tuple[int, str]]] = {name: [] for name, _ in texts}
    for section, text in cut(spark.createDataFrame(texts, "name string, text string"), length).collect():
        name, _, number = section.partition(":")
        found[name].append((int(number), text))
    assert [number for number, _ in found["a"]] == [place // ROWS_OF_A_SECTION for place in range(len(found["a"]))]
    rows, *others = [[text for _, text in parts] for parts in found.values()]
    assert whole == whole[0] + "".join(text[1:] for text in rows)
    assert {len(text) for text in rows[:-1]} <= {length + 1}
    assert all(one[-1] == other[0] for one, other in pairwise(rows))
    assert others == [["b" * length], ["c"], [""]]


def test_a_text_becomes_tokens_on_every_way(prepare: Prepare, tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    words = ["the", "cat", "sat", "—", "🐈", "né\n"]
    whole = " ".join(draw.choice(words, 6000)) + "\x00" * 300 + "§" + " the end" * 10
    (tmp_path / "my text.txt").write_text(whole, encoding="utf-8")
    manifest, folder = prepare(text_data(tmp_path / "my text.txt"))
    assert manifest.set_aside == {f"end of a text, with less than the {LENGTH + 1} characters of a row": 1}
    assert manifest.quarantined == {}
    assert manifest.rows_in == 1 + (len(whole) - 1) // LENGTH
    (column,) = manifest.tensors
    assert manifest.label.classes == [OTHER, *column.vocabulary]
    assert {"🐈", "—", "é", "\n", " ", "t"} <= {*column.vocabulary}
    assert "§" not in column.vocabulary
    assert column.tokens == len(manifest.label.classes)
    seen = {split: texts_of(folder, manifest, split) for split in SPLITS}
    counts = Counter("".join(seen["train"]))
    assert manifest.label.prior == pytest.approx([counts[each] / counts.total() for each in manifest.label.classes])
    counted = [counts[each] for each in column.vocabulary]
    assert counted == sorted(counted, reverse=True)
    check_sections("".join(each if each in column.vocabulary else OTHER for each in whole), seen)
    check_parity(folder, manifest)
    check_feeds(folder, manifest, seen["train"])
    assert manifest.example == [{"text": pq.read_table(folder / manifest.holdout[0].path)["text"][0].as_py()}]


def check_sections(whole: str, seen: dict[Any, list[str]]) -> None:
    """Whole sections are in one split: between two splits there is no more than the character where one ends."""
    rows = [whole[start : start + LENGTH + 1] for start in range(0, len(whole) - 1, LENGTH)]
    sections = [rows[first : first + ROWS_OF_A_SECTION] for first in range(0, len(rows), ROWS_OF_A_SECTION)]
    counts = {split: Counter(texts) for split, texts in seen.items()}
    for section in sections:
        whole_rows = Counter(row for row in section if len(row) > LENGTH)
        assert any(whole_rows <= counts[split] for split in SPLITS), section
    assert sum(map(len, seen.values())) == sum(len(row) > LENGTH for row in rows)


def check_feeds(folder: Path, manifest: Manifest, train: list[str]) -> None:
    """Every feed gives all tokens but the last, and those that follow."""
    expected = Counter(train)
    for name in ("arrow", "petastorm"):
        for layout in ("stored", "mapped"):
            wanted = training.Feed(name=name, batch_size=16, layout=layout, memory="1m", cache=None)  # type: ignore[arg-type]
            batches = list(open_feed(wanted, str(folder), manifest, "train", seed=1, rank=0, world_size=1))
            given = torch.cat([batch.tensors[0] for batch in batches]), torch.cat([batch.label for batch in batches])
            assert all(tokens.dtype == torch.int64 and tokens.shape[1] == LENGTH for tokens in given)
            assert torch.equal(given[0][:, 1:], given[1][:, :-1])
            rows = torch.cat((given[0], given[1][:, -1:]), dim=1).tolist()
            assert Counter("".join(manifest.label.classes[token] for token in row) for row in rows) == expected


def test_topics_of_python_are_a_text_whose_paragraphs_are_each_there_once(prepare: Prepare) -> None:
    manifest, folder = prepare(text_data(None, columns={"text": {"kind": "text", "length": 128}}))
    assert 300_000 < sum(split.rows for split in manifest.splits.values()) * 128 < sum(map(len, topics.values()))
    texts = [texts_of(folder, manifest, split) for split in SPLITS]
    assert not {*texts[0]} & {*texts[2]}
    assert all(any(word in text for text in texts[2]) for word in ("the ", "object", "import"))
    assert [file.path.endswith("pydoc_data/topics.py") for file in manifest.inputs] == [True]


def nothing(_: Path) -> None:
    """No file."""


def empty(folder: Path) -> None:
    (folder / "my.txt").write_text("")


def short(folder: Path) -> None:
    (folder / "my.txt").write_text("a" * LENGTH)


def one_section(folder: Path) -> None:
    (folder / "my.txt").write_text("ab " * LENGTH)


def of_one_letter(folder: Path) -> None:
    (folder / "my.txt").write_text("a" * 9999)


def empty_folder(folder: Path) -> None:
    (folder / "my.txt").mkdir()


MISTAKES: dict[Callable[[Path], None], str] = {
    nothing: r"my\.txt does not exist",
    empty_folder: r"my\.txt holds no file; name a text or a folder with texts",
    empty: r"the dataset has no rows; check data\.path",
    short: r"the train split is empty \(1 rows: end of a text, with less than the 17 characters of a row\)",
    one_section: r"the \w+ split is empty .*; change data.split or give more rows",
    of_one_letter: r"'text' has no two characters that train has 2 times; lower data\.rare_below",
}


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_a_text_that_nothing_can_be_learned_from(
    prepare: Prepare, tmp_path: Path, mistake: Callable[[Path], None]
) -> None:
    mistake(tmp_path)
    with pytest.raises(FranklinError, match=MISTAKES[mistake]) as error:
        prepare(text_data(tmp_path / "my.txt"))
    assert "\n" not in str(error.value)


def test_bytes_that_are_no_text_are_other(prepare: Prepare, tmp_path: Path) -> None:
    (tmp_path / "my.txt").write_bytes(b"the cat \xff\xfe sat " * 2000)
    manifest, folder = prepare(text_data(tmp_path / "my.txt"))
    assert manifest.label.classes.count(OTHER) == 1
    assert manifest.label.prior[0] > 0.1
    check_parity(folder, manifest)
