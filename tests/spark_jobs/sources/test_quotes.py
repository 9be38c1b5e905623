"""Quotes that nothing closes: no row goes without a word, and a text of many lines stays one value."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import Row, SparkSession

from conf.errors import FranklinError
from spark_jobs.landing import landed
from spark_jobs.sources.faults import naming_damage
from spark_jobs.sources.lines import UNFIT
from spark_jobs.sources.quotes import SWALLOWED, Dialect, _opens
from spark_jobs.sources.reading import located, read
from tests.spark_jobs.conftest import Prepare, table_data

pytestmark = pytest.mark.spark
ROWS = 300
COMMAS = Dialect(["a", "b", "c"], ",", '"', "UTF-8")


def lines(name: str) -> list[bytes]:
    return [f"x,y,{name}".encode(), *(f"{i * 7 % 31},{i % 3 % 2},Bath".encode() for i in range(ROWS))]


def rows(spark: SparkSession, file: Path) -> list[Row]:
    with naming_damage():
        return read(spark, table_data(file)).collect()


@pytest.mark.parametrize(
    ("place", "line", "end"),
    [
        (100, b'3,1,"Bath', b"\n"),
        (100, b'"3,1,Bath', b""),
        (ROWS - 40, b'3,1,"Bath', b"\r\n"),
        (ROWS - 40, b'3,1,"Bath', b""),
        (ROWS - 40, b'"3,1,Bath', b"\n\n"),
    ],
)
def test_a_quote_that_is_open_at_the_end_of_the_file_stops_the_job(
    prepare: Prepare, tmp_path: Path, *, place: int, line: bytes, end: bytes
) -> None:
    content = lines("town")
    content[place] = line
    (tmp_path / "p q.csv").write_bytes((end.strip(b"\n") + b"\n").join(content) + end)
    what = "over 100 lines" if place == 100 else "all lines to the end of the file"
    with pytest.raises(FranklinError, match=rf"/p q\.csv: .* one value of {what}, from '(3,1,)?Bath \d") as caught:
        prepare(table_data(tmp_path / "p q.csv"))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "made").exists()


def test_a_last_line_that_opens_a_quote_stops_the_job(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_bytes(b"\n".join([*lines("town"), b'3,1,"Ba']))
    with pytest.raises(FranklinError, match=r'p\.csv: its last line opens a quote that nothing closes \(3,1,"Ba\)'):
        read(spark, table_data(tmp_path / "p.csv"))


def test_a_day_of_one_value_does_not_land(spark: SparkSession, tmp_path: Path) -> None:
    place = tmp_path / "visits" / "day=2020-01-01" / "p.csv"
    place.parent.mkdir(parents=True)
    content = lines("town")
    content[5] = b'3,1,"Bath'
    place.write_bytes(b"\n".join([*content, b'5,1,"York"']))  # where the next quote is the last character
    data = table_data(tmp_path / "visits", day="day")
    with pytest.raises(FranklinError, match=r"p\.csv: a quote that nothing closes"), naming_damage():
        landed(spark, data, located(spark, data), str(tmp_path / "days"))
    assert list((tmp_path / "days").iterdir()) == []


@pytest.mark.parametrize(
    ("text", "unfit"),
    [
        ('3,4,"b\n5,6,c\n7,8,d"\n9,0,e\n', 1),  # the next quote is stray, too
        ('3,4,"b\n5,6,"c"\n7,8,"d"\n', 1),  # the next quote opens a value
        ('3,"b,4\n5,"c",6\n7,"d",8\n', 1),
        ('"b,4,3\n"c",6,5\n"d",8,7\n', 1),
        ('3,4,"b\n5,NA,c\n,8,d"\n', 1),
        ('3,4,"b\nthis, that, other"\n', 0),
        ('3,4,"""b"" said\nhe"\n', 0),
        ('3,4,"b\n\n"\n5,6,c\n', 0),
        ('x,4,"b\n5,6,c"\n', 0),
        ('"Hey,\nyou",4,5\n', 0),
    ],
)
@pytest.mark.parametrize("delimiter", [",", "|"])
def test_values_that_hold_rows_are_told_from_texts(
    spark: SparkSession, tmp_path: Path, *, text: str, unfit: int, delimiter: str
) -> None:
    (tmp_path / "p.csv").write_text(("k,l,m\n1,2,a\n" + text).replace(",", delimiter))
    found = rows(spark, tmp_path / "p.csv")
    assert [row[UNFIT] for row in found if row[UNFIT]] == [SWALLOWED] * unfit
    assert found[0][:3] == ("1", "2", "a")


def test_a_swallowed_row_is_quarantined_with_all_its_lines(prepare: Prepare, tmp_path: Path) -> None:
    content = lines("town")
    content[50], content[60] = b'3,1,"Bath', b'3,1,Bath"'
    (tmp_path / "p.csv").write_bytes(b"\n".join(content) + b"\n")
    manifest, folder = prepare(table_data(tmp_path / "p.csv"))
    assert manifest.quarantined == {SWALLOWED: 1}
    assert pq.read_table(folder / "quarantine")["row"][0].as_py().count("Bath") == 11


def test_a_text_at_the_end_of_a_file_may_have_line_breaks(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text('a,b\n1,"x\ny"\n2,"a, b\nc, d\n"\n\n')
    assert [row[:3] for row in rows(spark, tmp_path / "p.csv")] == [("1", "x\ny", None), ("2", "a, b\nc, d\n", None)]


@pytest.mark.parametrize(
    ("line", "opens"),
    [
        ('1,2,"b', True),
        ('"1,2', True),
        ('1, "b ""c"" d, 3', True),
        ('"a","b,c', True),
        ('1,2,"b"', False),
        ('1,5" pipe,2', False),
        ('1,"5" pipe,2', False),
        ('b",1,"c",2', False),
        ("", False),
    ],
)
def test_what_opens_a_quote(line: str, opens: bool) -> None:
    assert _opens(line, COMMAS) == opens
