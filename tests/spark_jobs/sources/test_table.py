"""A table of one's own: what is inferred, what is left out, and how bad input is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from pyspark.sql.types import DataType, IntegerType, StringType

from conf.columns import RARE, UNKNOWN, Categorical, Numeric
from conf.errors import FranklinError
from conf.manifest import SPLITS
from spark_jobs.sources.table import Profile, infer_task
from tests.spark_jobs.conftest import Prepare, table_data

pytestmark = pytest.mark.spark
ROWS = 300


@pytest.fixture
def people() -> pd.DataFrame:
    draw = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "row": np.arange(ROWS),
            "name": [f"person {i}" for i in range(ROWS)],
            "planet": "Earth",
            "a.ge": draw.integers(18, 80, ROWS),
            "in come": draw.normal(size=ROWS),
            "town": draw.choice(["Ayr", "Bath", "Cork"], ROWS),
            "y": draw.choice(["no", "yes"], ROWS),
        }
    )


@pytest.fixture
def written(people: pd.DataFrame, tmp_path: Path) -> Path:
    file = tmp_path / "people.csv"
    people.to_csv(file, index=False)
    return file


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_kinds_and_task_are_inferred(prepare: Prepare, people: pd.DataFrame, tmp_path: Path, suffix: str) -> None:
    people.loc[:4, "in come"] = np.nan
    file = tmp_path / f"people.{suffix}"
    people.to_csv(file, index=False) if suffix == "csv" else people.to_parquet(file)
    manifest, folder = prepare(table_data(file))
    assert manifest.inferred == {
        "row": "left out: counts the rows",
        "name": "left out: a different string in almost every row",
        "planet": "left out: constant",
        "a.ge": "numeric",
        "in come": "numeric",
        "town": "categorical",
        "task": "binary",
    }
    assert manifest.label.classes == ["no", "yes"]
    assert manifest.rows_in == ROWS == sum(split.rows for split in manifest.splits.values())
    train = pq.read_table(folder / "train")
    assert {str(t) for t in train.schema.types} == {"float", "int32"}
    assert train["a.ge"].to_numpy().mean() == pytest.approx(0, abs=1e-5)
    assert train["a.ge"].to_numpy().std() == pytest.approx(1, abs=1e-5)


def test_huge_and_infinite_numbers_and_almost_numbers(prepare: Prepare, people: pd.DataFrame, tmp_path: Path) -> None:
    people["huge"] = people["in come"].astype(object)
    people.loc[:2, "huge"] = [1e30, -1e300, "inf"]
    people["price"] = [f"{value:.6f}" if row % 20 else f"${value}" for row, value in enumerate(people["in come"])]
    people.to_csv(tmp_path / "p.csv", index=False)
    manifest, _ = prepare(table_data(tmp_path / "p.csv"))
    assert manifest.quarantined == {"'huge' is beyond every 32-bit float": 2}
    assert manifest.inferred["huge"] == "numeric"
    assert manifest.inferred["price"] == (
        "left out: a different string in almost every row, though 95.0% are numbers; "
        "say numeric in data.columns, and the others are quarantined"
    )
    (huge,) = [column for column in manifest.columns if column.name == "huge"]
    assert isinstance(huge, Numeric)
    assert np.isfinite([huge.mean, huge.scale]).all()


@pytest.mark.parametrize(
    ("label", "task"),
    [
        ([1, 2], "binary"),
        pytest.param([1, 2, 3], "multiclass", marks=pytest.mark.soak),
        (["a", "b", "c"], "multiclass"),
        ([0.5, 1.5, 2.5], "regression"),
    ],
)
def test_the_task_follows_the_label(
    prepare: Prepare, people: pd.DataFrame, tmp_path: Path, label: list[object], task: str
) -> None:
    people["y"] = [label[i % len(label)] for i in range(ROWS)]
    people.to_csv(tmp_path / "p.csv", index=False)
    manifest, _ = prepare(table_data(tmp_path / "p.csv"))
    assert manifest.task == task
    assert len(manifest.label.classes) == (0 if task == "regression" else len(label))


def test_what_is_said_goes_before_what_is_inferred(prepare: Prepare, people: pd.DataFrame, tmp_path: Path) -> None:
    people["a.ge"] = people["a.ge"].astype(str)
    people.loc[0, "a.ge"] = "old"
    people.to_csv(tmp_path / "p.csv", index=False)
    said = {"a.ge": "numeric", "planet": "categorical"}
    manifest, _ = prepare(table_data(tmp_path / "p.csv", columns=said, ignore=["town"]))
    assert [(c.name, c.kind) for c in manifest.columns] == [
        ("planet", "categorical"),
        ("a.ge", "numeric"),
        ("in come", "numeric"),
    ]
    assert manifest.quarantined == {"'a.ge' is not a number": 1}
    assert not said.keys() & manifest.inferred.keys()


def test_rows_without_label_are_set_aside(prepare: Prepare, people: pd.DataFrame, tmp_path: Path) -> None:
    people.loc[:6, "y"] = None
    people.to_csv(tmp_path / "p.csv", index=False)
    assert prepare(table_data(tmp_path / "p.csv"))[0].set_aside == {"no label": 7}


def test_encodings_know_train_alone(prepare: Prepare, people: pd.DataFrame, tmp_path: Path) -> None:
    days = pd.Series(pd.date_range("2020-01-01", periods=ROWS))
    people = people.assign(day=days.dt.strftime("%Y-%m-%d"))
    test = slice(240, None)
    people.loc[test, "town"] = "Derby"  # test alone has it
    people.loc[:1, "town"] = "Epsom"  # train has it too rarely
    people.loc[test, "in come"] = 1e6
    people.loc[210, "in come"] = np.nan  # missing in validation alone
    people.to_csv(tmp_path / "p.csv", index=False)
    split = {"by": "date", "column": "day", "validation_from": days[200].date(), "test_from": days[240].date()}
    manifest, folder = prepare(table_data(tmp_path / "p.csv", split=split, rare_below=3))
    columns = {column.name: column for column in manifest.columns}
    town, income = columns["town"], columns["in come"]
    assert isinstance(town, Categorical)
    assert isinstance(income, Numeric)
    assert sorted(town.vocabulary) == ["Ayr", "Bath", "Cork"]
    assert set(pq.read_table(folder / "test")["town"].to_pylist()) == {UNKNOWN}
    assert pq.read_table(folder / "train")["town"].to_pylist().count(RARE) == 2
    assert income.mean == pytest.approx(people["in come"][:200].mean())
    assert not income.indicator
    assert "day" not in columns
    assert set(pq.read_table(folder / "holdout")["town"].to_pylist()) == {"Derby"}
    assert [manifest.splits[name].rows for name in SPLITS] == [200, 40, 60]


def test_a_row_keeps_its_split_when_others_are_added(prepare: Prepare, people: pd.DataFrame, tmp_path: Path) -> None:
    held = []
    for rows in (200, ROWS):
        people[:rows].to_csv(tmp_path / "p.csv", index=False)
        _, folder = prepare(table_data(tmp_path / "p.csv", ignore=["row", "name"]), name=str(rows))
        held.append(set(pq.read_table(folder / "holdout")["in come"].to_pylist()))
    assert held[0] < held[1]


@pytest.mark.soak
def test_a_row_keeps_its_split_whatever_is_made_of_it(prepare: Prepare, written: Path) -> None:
    """Else a champion would be judged on rows that it has learned."""
    plain = {"ignore": ["row", "name"]}
    choices = [plain, {"ignore": ["row", "name", "town"]}, {**plain, "columns": {"a.ge": "categorical"}}]
    held = []
    for number, choice in enumerate(choices):
        _, folder = prepare(table_data(written, **choice), name=str(number))
        held.append(set(pq.read_table(folder / "holdout")["in come"].to_pylist()))
    assert held[0] == held[1] == held[2]


def test_a_value_may_have_line_breaks(prepare: Prepare, people: pd.DataFrame, tmp_path: Path) -> None:
    people["town"] = [f"{town}\nby the sea" for town in people["town"]]
    people.to_csv(tmp_path / "p.csv", index=False)
    manifest, _ = prepare(table_data(tmp_path / "p.csv"))
    assert (manifest.rows_in, manifest.quarantined) == (ROWS, {})
    (town,) = [column for column in manifest.columns if column.name == "town"]
    assert isinstance(town, Categorical)
    assert "Ayr\nby the sea" in town.vocabulary


@pytest.mark.parametrize(
    "name",
    [
        *("a*b?.csv", "back\\slash.csv", "d [1].csv.zip"),
        *(pytest.param(name, marks=pytest.mark.soak) for name in ("data[1].csv", "{x}.csv", "data[1].parquet")),
    ],
)
def test_a_name_is_no_pattern(prepare: Prepare, people: pd.DataFrame, tmp_path: Path, name: str) -> None:
    file = tmp_path / "fol{d}er" / name
    file.parent.mkdir()
    people.to_parquet(file) if name.endswith("parquet") else people.to_csv(file, index=False)
    (file.parent / "data1.csv").write_text("what,[1],matches\n")
    assert prepare(table_data(file))[0].rows_in == ROWS


def test_a_folders_name_is_no_pattern(prepare: Prepare, people: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "d[1]" / "part=1").mkdir(parents=True)
    people.to_parquet(tmp_path / "d[1]" / "part=1" / "{0}.parquet")
    assert prepare(table_data(tmp_path / "d[1]"))[0].rows_in == ROWS


def _profile(type_: DataType, distinct: int) -> Profile:
    numbers = 0 if isinstance(type_, StringType) else 1000
    return Profile(type_, 1000, distinct, numbers, numbers, None, None, constant=False, dates=0)


@pytest.mark.parametrize("task", [None, "multiclass"])
def test_a_string_label_has_at_most_200_classes(task: str | None) -> None:
    data = table_data("p.csv", task=task)
    assert infer_task(data, _profile(StringType(), 200))[0] == "multiclass"
    with pytest.raises(FranklinError, match=r"about 201 classes, more than 200; choose another .* data\.ignore=\[y\]"):
        infer_task(data, _profile(StringType(), 201))


def test_a_number_of_too_many_classes_may_be_a_regression() -> None:
    assert infer_task(table_data("p.csv"), _profile(IntegerType(), 201))[0] == "regression"
    with pytest.raises(FranklinError, match=r"more than 200; say data\.task=regression, or choose another"):
        infer_task(table_data("p.csv", task="multiclass"), _profile(IntegerType(), 201))


def _no_rows(file: Path) -> None:
    file.write_text(file.read_text().split("\n")[0] + "\n")


def _binary(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00PK")


def _constant(file: Path) -> None:
    pd.read_csv(file).assign(y="yes").to_csv(file, index=False)


@pytest.mark.parametrize(
    ("change", "damage", "message"),
    [
        ({"label": "yy"}, None, "there is no column 'yy'; did you mean 'y'"),
        ({"ignore": ["twon"]}, None, "data.ignore: there is no column 'twon'; did you mean 'town'"),
        ({"columns": {"tow": "numeric"}}, None, "data.columns: there is no column 'tow'"),
        ({"split": {"by": "date", "column": "when", "validation_from": "2020-01-01", "test_from": "2020-02-01"}}, None,
         "data.split in .*: there is no column 'when'"),
        ({"split": {"by": "hash", "validation": 0.000001, "test": 0.2}}, None, "the validation split is empty"),
        ({"task": "regression"}, None, "no numbers"),
        ({}, _constant, "label 'y' is the same in every row"),
        ({}, _no_rows, "no rows"),
        ({}, _binary, "is no readable CSV file"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_one_line(
    prepare: Prepare, written: Path, change: dict[str, object], damage: Callable[[Path], None] | None, message: str
) -> None:
    if damage:
        damage(written)
    with pytest.raises(FranklinError, match=message) as caught:
        prepare(table_data(written, **change))
    assert "\n" not in str(caught.value)
    assert not (written.parent / "made").exists()


@pytest.mark.parametrize("where", ["footer", "middle"])
def test_a_corrupt_parquet_file_is_named(prepare: Prepare, people: pd.DataFrame, tmp_path: Path, where: str) -> None:
    file = tmp_path / "people.parquet"
    people.to_parquet(file)
    content = file.read_bytes()
    file.write_bytes(content[:-20] if where == "footer" else content[:4] + b"\x07" * 3000 + content[3004:])
    with pytest.raises(FranklinError, match=r"people\.parquet"):
        prepare(table_data(file))
    assert not (tmp_path / "made").exists()
