"""Input that is damaged, garbled, empty, drifting or gone: a clean quarantine, or one line that names the culprit."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import orc
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812, Spark's own convention

from conf.columns import Categorical
from conf.errors import FranklinError
from spark_jobs.sources.faults import naming_damage
from spark_jobs.sources.lines import names
from spark_jobs.sources.reading import read
from tests.spark_jobs.conftest import Prepare, table_data

pytestmark = pytest.mark.spark
ROWS = 100
NUMBERS = pa.table({"x": range(ROWS), "s": [f"{i}" for i in range(ROWS)]})


def _csv() -> list[bytes]:
    return [b"town,x,y", *(f"Bath,{i * 7 % 31},{i % 3 % 2}".encode() for i in range(ROWS))]


def _jsonl() -> list[bytes]:
    return [f'{{"town": "Bath", "x": {i * 7 % 31}, "y": {i % 3 % 2}}}'.encode() for i in range(ROWS)]


@pytest.mark.parametrize(
    ("name", "lines", "torn", "reasons"),
    [
        (
            "p.csv",
            _csv(),
            b"Bath,1",
            {"line does not fit the header", "line has bytes that are no text in its encoding"},
        ),
        ("p.jsonl", _jsonl(), b'{"town": "Ba', {"line is no JSON object"}),
    ],
)
def test_a_torn_line_and_bytes_that_are_no_text_are_quarantined(
    prepare: Prepare, tmp_path: Path, *, name: str, lines: list[bytes], torn: bytes, reasons: set[str]
) -> None:
    lines[7:9] = [torn, lines[8].replace(b"Bath", "Zürich".encode("latin-1"))]
    (tmp_path / name).write_bytes(b"\n".join(lines) + b"\n")
    manifest, folder = prepare(table_data(tmp_path / name))
    assert manifest.rows_in == ROWS
    assert set(manifest.quarantined) == reasons
    stored = pq.read_table(folder / "quarantine")["row"].to_pylist()
    assert len(stored) == 2
    assert torn.decode() in stored


def _packed(folder: Path) -> None:
    content = gzip.compress(b"\n".join(_csv()) * 50)
    (folder / "p.csv.gz").write_bytes(content[: len(content) * 2 // 3])


def _torn_orc(folder: Path) -> None:
    orc.write_table(NUMBERS, folder / "p.orc")
    (folder / "p.orc").write_bytes((folder / "p.orc").read_bytes()[:-30])


def _column_lost(folder: Path) -> None:
    pq.write_table(NUMBERS, folder / "a.parquet")
    pq.write_table(NUMBERS.drop_columns(["s"]), folder / "b.parquet")


def _type_drifts(folder: Path) -> None:
    orc.write_table(NUMBERS, folder / "a.orc")
    orc.write_table(NUMBERS.set_column(0, "x", NUMBERS["x"].cast("string")), folder / "b.orc")


def _header_changes(folder: Path) -> None:
    (folder / "a.csv").write_text("x,y\n1,2\n")
    (folder / "b.csv").write_text("y,x\n1,2\n")


def _no_object(folder: Path) -> None:
    (folder / "p.jsonl").write_text("1,2\n3,4\n")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_packed, r"p\.csv\.gz is damaged, Spark cannot read it to its end; write it anew"),
        (_torn_orc, r"p\.orc is no readable ORC file \(.*\); write it anew"),
        (_column_lost, r"b\.parquet lacks column 's' of .*a\.parquet; .*mergeSchema"),
        (_type_drifts, r"b\.orc: column 'x' is string, and int64 in .*a\.orc; write both alike"),
        (_header_changes, r"b\.csv has the columns of .*a\.csv in another order; give both the same"),
        (_no_object, r"p\.jsonl: no line is a JSON object"),
    ],
)
def test_damage_is_named(spark: SparkSession, tmp_path: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(tmp_path)
    with pytest.raises(FranklinError, match=message) as caught, naming_damage():
        read(spark, table_data(tmp_path)).collect()
    assert "\n" not in str(caught.value)


def test_a_file_that_goes_while_it_is_read_is_named(spark: SparkSession, tmp_path: Path) -> None:
    for part in ("a", "b"):
        pq.write_table(NUMBERS, tmp_path / f"{part}.parquet")
    rows = read(spark, table_data(tmp_path))
    (tmp_path / "b.parquet").unlink()
    with pytest.raises(FranklinError, match=r"do not find .*b\.parquet: it was removed meanwhile"), naming_damage():
        rows.collect()


def test_parts_without_rows_are_parts(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "csv").mkdir()
    for name, text in (("a", ""), ("b", "x,y\n"), ("c", "x,y\n1,2\n")):
        (tmp_path / "csv" / f"{name}.csv").write_text(text)
    assert read(spark, table_data(tmp_path / "csv")).count() == 1
    (tmp_path / "parquet").mkdir()
    pq.write_table(NUMBERS[:0], tmp_path / "parquet" / "a.parquet")
    pq.write_table(NUMBERS, tmp_path / "parquet" / "b.parquet")
    assert read(spark, table_data(tmp_path / "parquet")).count() == ROWS


def test_a_key_of_numbers_and_words_is_text_and_a_missing_key_is_missing(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"x": 1, "y": 1}\n{"x": "one", "z": {"a": {"b": 2}}}\n')
    rows = read(spark, table_data(tmp_path / "p.jsonl"))
    assert [tuple(row) for row in rows.select(*names(rows)[:2], F.col("`z.a.b`")).collect()] == [
        ("1", 1, None),
        ("one", None, 2),
    ]


@pytest.mark.parametrize("scheme", ["file:", "file://", "viewfs://here/"])
def test_a_path_of_hadoops_file_systems_is_handed_on_as_it_is(spark: SparkSession, tmp_path: Path, scheme: str) -> None:
    """One that Python has no package for is looked at by Spark, through the settings of its reader."""
    place = tmp_path / "a b[1]" / "part=3"
    place.mkdir(parents=True)
    (place / "p.csv").write_text("x,y\n1,2\n")
    path = f"{scheme}{'data' if 'viewfs' in scheme else tmp_path}/a b[1]"
    options = {"fs.viewfs.mounttable.here.link./data": f"file://{tmp_path}"} if "viewfs" in scheme else {}
    rows = read(spark, table_data(path, options=options))
    assert [tuple(row) for row in rows.select(*names(rows)).collect()] == [("1", "2", 3)]


def test_a_scheme_that_nobody_has_is_named(spark: SparkSession) -> None:
    with pytest.raises(FranklinError, match=r'zz://there/x\.csv: .*No FileSystem for scheme "zz".*; .*spark\.jars'):
        read(spark, table_data("zz://there/x.csv"))


@pytest.mark.soak
def test_a_million_categories(prepare: Prepare, spark: SparkSession, tmp_path: Path) -> None:
    many = F.concat(F.lit("c"), (F.col("id") % 1_000_000).cast("string"))
    rows = spark.range(3_000_000).select(many.alias("c"), F.rand(1).alias("x"), (F.col("id") % 7 % 2).alias("y"))
    rows.write.parquet(str(tmp_path / "many"))
    manifest, _ = prepare(table_data(tmp_path / "many", columns={"c": "categorical"}, rare_below=2))
    (column,) = [each for each in manifest.columns if isinstance(each, Categorical)]
    assert manifest.rows_in == 3_000_000
    assert len(column.vocabulary) == 100_000
