"""Tables of a database: read once and by one query, from a real PostgreSQL; passwords stay where they are."""

from collections.abc import Iterator

import pytest
from pydantic import ValidationError
from pyspark.sql import SparkSession

from conf.errors import FranklinError
from spark_jobs.sources.reading import read
from tests.docker.postgres import binaries
from tests.spark_jobs.conftest import DRIVER, Prepare, table_data
from tests.spark_jobs.postgres import PASSWORD, Postgres, postgres

pytestmark = pytest.mark.spark
LOGIN = {"user": "postgres", "password": "env:SHOP_PASSWORD"}
# Of each kind of type one, NaN, infinity and nothing among the floats.
SHOP = """
create table visit as select i as id, 20 + i * 37 % 50 as age, (i * 7.25)::numeric(10, 2) as paid,
    case i % 50 when 0 then 'NaN' when 1 then 'infinity' when 2 then null else sin(i) end::float8 as mood,
    (array['Ayr', 'Bath', 'Cork'])[1 + i * i % 3] as town, i % 4 = 0 as member,
    date '2020-01-01' + i as day, i * 37 % 50 > 25 as again from generate_series(0, 299) i
"""


@pytest.fixture(scope="module")
def shop() -> Iterator[Postgres]:
    if binaries() is None:
        pytest.skip("PostgreSQL's server is not installed: apt-get install postgresql")
    if not DRIVER.exists():
        pytest.skip("PostgreSQL's driver for Java is not installed: apt-get install libpostgresql-jdbc-java")
    with postgres() as server:
        server.run(SHOP)
        yield server


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)


def test_a_table_becomes_a_feature_set_and_no_password_is_written(prepare: Prepare, shop: Postgres) -> None:
    manifest, folder = prepare(table_data(shop.url, "again", table="visit", options=LOGIN))
    assert manifest.rows_in == 300
    assert manifest.quarantined == {"'mood' is beyond every 32-bit float": 6}
    kinds = {column.name: column.kind for column in manifest.columns}
    numeric = dict.fromkeys(("age", "paid", "mood"), "numeric")
    assert kinds == numeric | {"town": "categorical", "member": "categorical"}
    (place,) = manifest.inputs
    assert (place.path, place.bytes) == (f"{shop.url} table visit", None)
    written = [file.read_bytes() for file in folder.rglob("*") if file.is_file()]
    assert not any(PASSWORD.encode() in content for content in written)


def test_every_look_finds_the_same_rows(spark: SparkSession, shop: Postgres) -> None:
    shop.run("create table till as select i, i * i as square from generate_series(1, 10) i")
    rows = read(spark, table_data(shop.url, table="(select * from till where i > 2) as t", options=LOGIN))
    assert rows.count() == 8
    shop.run("delete from till")
    assert sorted(row.square for row in rows.collect()) == [i * i for i in range(3, 11)]


@pytest.mark.parametrize(
    ("address", "change", "message"),
    [
        (None, {"table": "visits"}, r'table visits: ERROR: relation "visits" does not exist; mend `path`'),
        (None, {"options": LOGIN | {"user": "nobody"}}, r'password authentication failed for user "nobody"; mend'),
        ("jdbc:postgresql://127.0.0.1:9/shop", {}, r"Connection to 127\.0\.0\.1:9 refused\..*; mend `path`"),
        ("jdbc:nosuch://127.0.0.1/shop", {}, r"there is no driver for this database; name its jar in spark\.jars"),
        (None, {"options": {"password": "env:NOT_SET"}}, r"options\.password: NOT_SET is not set in the environment"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    spark: SparkSession, shop: Postgres, address: str | None, change: dict[str, object], message: str
) -> None:
    with pytest.raises(FranklinError, match=message) as caught:
        read(spark, table_data(address or shop.url, **({"table": "visit", "options": LOGIN} | change)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "change", "message"),
    [
        ("jdbc:postgresql://host/db", {"table": "x", "options": {"password": "hush"}}, "'password' would be written"),
        ("jdbc:postgresql://host/db?user=me&password=hush", {"table": "x"}, "a password here would be written"),
        ("jdbc:postgresql://host/db", {}, "a database needs `path: jdbc:...` and `table`"),
        ("x.csv", {"options": {"ignoreCorruptFiles": "true"}}, "rows would be passed over unseen"),
        ("x.csv", {"table": "x"}, "`table` is for a database"),
    ],
)
def test_what_is_no_place_is_refused(path: str, change: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        table_data(path, **change)
