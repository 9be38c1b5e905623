"""Small feature sets with a real signal in them, written as Spark leaves them, for tests that need no Spark."""

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from conf.columns import MISSING, OTHER, RESERVED_CODES, UNKNOWN, Categorical, Column, Numeric, TensorColumn
from conf.data import Task
from conf.manifest import WHERE, DataFile, Label, Manifest, Split, SplitName

NUMERIC = ("distance", "hour", "wind")  # wind has missing values
CATEGORICAL = ("carrier", "origin")  # origin has missing values; carrier has one that train does not know
CARRIERS, ORIGINS = ("AA", "B6", "DL", "UA"), ("EWR", "JFK", "LGA")
RADAR = (1, 2, 3)  # shape of the tensor `radar`
LABELS: Mapping[Task, str] = {"binary": "late", "multiclass": "grade", "regression": "minutes", "sequence": "text"}
WORDS = ("a", "the", "cat", "mat", "sat", "on", "under")
CHARACTERS = sorted({*"".join(WORDS), " "})
PLACES = 24  # of a row of text


def write_feature_set(
    folder: Path,
    task: Task,
    rows: int = 2000,
    *,
    seed: int = 0,
    row_group_rows: int = 200,
    files: int = 3,
    numeric: bool = True,
    categorical: bool = True,
    tensor: bool = False,
    where: Literal["day", "group"] | None = None,
) -> Manifest:
    """Write a feature set of `rows` train rows and a quarter of that for validation and for test each.

    Every split is cut into `files` files of row groups of at most `row_group_rows` rows. The label depends on all
    columns, with noise: a fitted model has to beat the trivial one. Labels in the raw rows are the class names
    (multiclass), 0 and 1 (binary) or minutes (regression). Of a sequence, rows are words in any order, and there are
    no other columns. `where` says what the column `__where` counts: days that go on from split to split, of five rows
    on average, or one of forty groups of each split.
    """
    generator = np.random.default_rng(seed)
    raw: dict[SplitName, pd.DataFrame] = {
        "train": _raw(generator, rows, task),
        "validation": _raw(generator, max(1, rows // 4), task),
        "test": _raw(generator, max(1, rows // 4), task, unseen=True),
    }
    columns = _fit_columns(raw["train"], task, numeric=numeric, categorical=categorical)
    if tensor and task != "sequence":
        for frame in raw.values():
            frame["radar"] = generator.normal(5, 2, (len(frame), prod(RADAR))).tolist()
        numbers = {"shape": list(RADAR), "dtype": "float32", "mean": 5.0, "scale": 2.0, "tokens": 0}
        columns.append(TensorColumn.model_validate({"name": "radar", "codec": "list", "pad": False, **numbers}))
    label = _fit_label(raw["train"], task)
    belongs = _where(where, {name: len(frame) for name, frame in raw.items()}, generator)
    names = [column.name for column in columns]
    splits = {
        name: Split(
            files=_write(folder, name, _encode(frame, columns, label, belongs.get(name)), row_group_rows, files)
        )
        for name, frame in raw.items()
    }
    test = raw["test"][[*dict.fromkeys([*names, label.name])]]
    manifest = Manifest(
        name=f"synthetic_{task}",
        task=task,
        label=label,
        columns=columns,
        splits=splits,
        holdout=_write(folder, "holdout", pa.Table.from_pandas(test, preserve_index=False), row_group_rows, files),
        where=where,
        rows_in=sum(len(frame) for frame in raw.values()),
        quarantined={},
        set_aside={},
        inferred={},
        example=[_plain(row) for row in test[names].head(5).to_dict("records")],
        inputs=[],
        fingerprint=f"synthetic-{task}-{rows}-{seed}",
        created="2026-01-01T00:00:00+00:00",
    )
    (folder / "manifest.json").write_text(manifest.model_dump_json(indent=2), encoding="utf-8")
    return manifest


def _raw(generator: np.random.Generator, rows: int, task: Task, *, unseen: bool = False) -> pd.DataFrame:
    """Raw cleaned rows: numbers with NaN and strings with None where a value is missing, and the label."""
    if task == "sequence":
        texts = [" ".join(generator.choice(WORDS, PLACES))[: PLACES + 1] for _ in range(rows)]
        unknown = [f"§{text[1:]}" if unseen and row % 50 == 0 else text for row, text in enumerate(texts)]
        return pd.DataFrame({LABELS[task]: unknown})
    distance = generator.gamma(4.0, 250.0, rows)
    hour = generator.integers(5, 24, rows).astype(np.float64)
    wind = generator.gamma(2.0, 5.0, rows)
    carrier = generator.integers(0, len(CARRIERS), rows)
    origin = generator.integers(0, len(ORIGINS), rows)
    score = (
        (distance - 1000) / 500
        + np.sin(hour / 3)
        + 0.08 * (wind - 10)
        + np.array([-1.0, 0.5, 0.0, 1.0])[carrier]
        + np.array([0.7, 0.0, -0.7])[origin]
        + generator.normal(0, 0.6, rows)
    )
    frame = pd.DataFrame(
        {
            "distance": distance,
            "hour": hour,
            "wind": np.where(generator.random(rows) < 0.1, np.nan, wind),
            "carrier": np.array(CARRIERS, dtype=object)[carrier],
            "origin": np.array(ORIGINS, dtype=object)[origin],
        },
    )
    frame.loc[generator.random(rows) < 0.05, "origin"] = None
    if unseen:
        frame.loc[frame.index[::50], "carrier"] = "ZZ"
    frame[LABELS[task]] = _label(score, task)
    return frame


def _label(score: Any, task: Task) -> Any:
    if task == "binary":
        return (score > 1.0).astype(np.int32)
    if task == "multiclass":
        return np.array(["early", "punctual", "late"], dtype=object)[np.digitize(score, [-0.8, 1.0])]
    return 100 + 40 * score


def _fit_columns(train: pd.DataFrame, task: Task, *, numeric: bool, categorical: bool) -> list[Column]:
    if task == "sequence":
        said = {"name": LABELS[task], "shape": [PLACES + 1], "dtype": "int32", "codec": "list", "pad": False}
        fitted = {"mean": 0.0, "scale": 1.0, "tokens": 1 + len(CHARACTERS), "vocabulary": CHARACTERS}
        return [TensorColumn.model_validate(said | fitted)]
    columns: list[Column] = []
    for name in NUMERIC if numeric else ():
        values = train[name]
        scale = float(values.std(ddof=0)) or 1.0
        columns.append(Numeric(name=name, mean=float(values.mean()), scale=scale, indicator=bool(values.isna().any())))
    for name in CATEGORICAL if categorical else ():
        counts = train[name].dropna().value_counts()
        columns.append(Categorical(name=name, vocabulary=sorted(counts.index, key=lambda v: (-counts[v], v))))
    return columns


def _fit_label(train: pd.DataFrame, task: Task) -> Label:
    name = LABELS[task]
    values = train[name]
    if task == "regression":
        scale = float(values.std(ddof=0)) or 1.0
        return Label(name=name, classes=[], prior=[], mean=float(values.mean()), scale=scale)
    classes = {"binary": ["0", "1"], "multiclass": ["early", "late", "punctual"]}.get(task, [OTHER, *CHARACTERS])
    if task == "sequence":
        values = pd.Series(list("".join(values)))
    share = values.astype(str).value_counts(normalize=True)
    return Label(name=name, classes=classes, prior=[float(share.get(c, 0.0)) for c in classes], mean=0, scale=1)


def _encode(frame: pd.DataFrame, columns: list[Column], label: Label, where: Any) -> pa.Table:
    arrays: dict[str, Any] = {} if where is None else {WHERE: where}
    for column in columns:
        values = frame[column.name]
        if isinstance(column, Numeric):
            arrays[column.name] = ((values - column.mean) / column.scale).fillna(0).to_numpy(np.float32)
            if column.indicator:
                arrays[f"{column.name}__missing"] = values.isna().to_numpy(np.float32)
        elif isinstance(column, TensorColumn) and column.vocabulary:
            places = {character: place for place, character in enumerate(column.vocabulary, 1)}
            tokens = [[places.get(character, 0) for character in text] for text in values]
            arrays[column.name] = pa.array(tokens, pa.list_(pa.int32()))
        elif isinstance(column, TensorColumn):
            arrays[column.name] = pa.array(values, pa.list_(pa.float32()))
        else:
            codes = {value: RESERVED_CODES + i for i, value in enumerate(column.vocabulary)}
            arrays[column.name] = np.array(
                [MISSING if value is None else codes.get(value, UNKNOWN) for value in values], dtype=np.int32
            )
    if label.name in arrays:  # a sequence is its own label
        return pa.table(arrays)
    values = frame[label.name]
    if label.classes:
        arrays[label.name] = values.astype(str).map(label.classes.index).to_numpy(np.int32)
    else:
        arrays[label.name] = values.to_numpy(np.float32)
    return pa.table(arrays)


def _write(folder: Path, name: str, table: pa.Table, row_group_rows: int, files: int) -> list[DataFile]:
    (folder / name).mkdir(parents=True)
    written = []
    for index in range(files):
        start, stop = index * table.num_rows // files, (index + 1) * table.num_rows // files
        path = f"{name}/part-{index:05d}.parquet"
        pq.write_table(table.slice(start, stop - start), folder / path, row_group_size=row_group_rows)
        groups = pq.ParquetFile(folder / path).metadata
        row_groups = [groups.row_group(i).num_rows for i in range(groups.num_row_groups)]
        written.append(DataFile(path=path, row_groups=row_groups))
    return written


def _where(where: str | None, rows: dict[SplitName, int], generator: np.random.Generator) -> dict[SplitName, Any]:
    """What each row belongs to."""
    if where == "day":
        every = np.sort(generator.integers(18_000, 18_000 + max(1, sum(rows.values()) // 5), sum(rows.values())))
        starts = np.cumsum([0, *rows.values()])
        return {name: every[start:][: rows[name]].astype(np.int32) for name, start in zip(rows, starts, strict=False)}
    if where == "group":
        return {name: (3 * generator.integers(0, 40, rows[name]) + i).astype(np.int32) for i, name in enumerate(rows)}
    return {}


def _plain(row: dict[Any, Any]) -> dict[str, Any]:
    return {str(name): None if np.ndim(value) == 0 and pd.isna(value) else value for name, value in row.items()}
