"""Whatever a table is stored as, it is the same table."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import orc

from conf.manifest import SPLITS
from tests.spark_jobs.conftest import Prepare, table_data

pytestmark = pytest.mark.spark
ROWS = 200


def _csv(frame: pd.DataFrame, file: Path) -> None:
    frame.to_csv(file, index=False)


def _json(frame: pd.DataFrame, file: Path) -> None:
    frame.to_json(file, orient="records", lines=True)


def _parquet(frame: pd.DataFrame, file: Path) -> None:
    frame.to_parquet(file)


def _orc(frame: pd.DataFrame, file: Path) -> None:
    orc.write_table(pa.Table.from_pandas(frame), file)


WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    "part-0.csv.gz": _csv,
    "part-0.jsonl": _json,
    "part-0.parquet": _parquet,
    "part-0.orc": _orc,
}


def test_four_formats_give_the_same_columns_and_rows(prepare: Prepare, tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    frame = pd.DataFrame({"age": draw.integers(18, 80, ROWS), "town": draw.choice(["Ayr", "Bath"], ROWS)})
    frame["income"] = draw.normal(size=ROWS).round(3)
    frame.loc[:9, ["income", "town"]] = [np.nan, None]
    frame["y"] = draw.choice(["no", "yes"], ROWS)
    for name, write in WRITERS.items():
        # Two parts in folders, whose names are a column.
        for part, rows in enumerate((frame[:120], frame[120:])):
            place = tmp_path / name / f"shop={part}" / name
            place.parent.mkdir(parents=True)
            write(rows, place)
        manifest, folder = prepare(table_data(tmp_path / name), name=f"made-{name}")
        assert manifest.rows_in == ROWS
        numeric = dict.fromkeys(("age", "income", "shop"), "numeric")
        assert manifest.inferred == numeric | {"town": "categorical", "task": "binary"}
        made = pd.concat([pq.read_table(folder / split).to_pandas() for split in SPLITS])
        assert sorted(made.columns) == ["age", "income", "income__missing", "shop", "town", "y"]
        assert (made["income__missing"] > 0).sum() == 10
        assert (made["shop"] > 0).sum() == 80
