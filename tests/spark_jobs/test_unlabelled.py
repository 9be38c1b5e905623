"""MLlib finds the groups and the rules that one machine's libraries find, in real flights too."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from conf import segmenting
from conf.associating import GAIN, Bar, support_of
from conf.columns import RESERVED_CODES, Categorical, Numeric
from conf.errors import FranklinError
from conf.manifest import DataFile, Label, Manifest, Split
from conf.segmenting import ROWS, vocabularies
from conf.selecting import Rule, Segments, UnlabelledRequest, UnlabelledResult
from models.candidates.reading import read_rows
from models.unlabelled.drawing import draw
from models.unlabelled.look import look as look_here
from models.unlabelled.rules import rules as rules_here
from models.unlabelled.rules import seek as seek_here
from models.unlabelled.segments import segments as segments_here
from models.unlabelled.segments import sums as sums_here
from spark_jobs.unlabelled import rules as in_spark
from spark_jobs.unlabelled.__main__ import look as look_in_spark
from spark_jobs.unlabelled.segments import segments as segments_in_spark
from spark_jobs.unlabelled.segments import sums as sums_in_spark
from tests.models.unlabelled.tables import blobs
from tests.spark_jobs.conftest import SPARK, flights_data, made

pytestmark = pytest.mark.spark
COLUMNS = ["dest", "airline"]
LATE = "late = true"


def request(folder: Path, tmp_path: Path, segments: list[str], *, rules: bool = True) -> UnlabelledRequest:
    return UnlabelledRequest(
        answer=tmp_path / "answer.json",
        feature_set=str(folder),
        run_folder=tmp_path / "run",
        spark=SPARK,
        segments=segments,
        rules=rules,
        seed=1,
    )


@pytest.fixture(autouse=True)
def few_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each number of groups is dozens of Spark's jobs."""
    monkeypatch.setattr(segmenting, "GROUPS", 3)


def parted(found: list[Segments]) -> dict[str, set[frozenset[str]]]:
    return {each.method: {frozenset(group) for group in each.groups} for each in found}


def told(rules: list[Rule]) -> dict[frozenset[str], tuple[float, float]]:
    return {frozenset(each.when): (each.support, each.confidence) for each in rules}


@pytest.fixture(scope="module")
def far_apart(tmp_path_factory: pytest.TempPathFactory) -> tuple[Manifest, Path]:
    """A feature set of twelve values of three kinds, as Spark leaves it; its label is theirs, doubtful at times."""
    folder = tmp_path_factory.mktemp("blobs") / "set"
    rows, names, kind = blobs()
    generator = np.random.default_rng(1)
    label = (np.asarray(kind)[rows.codes[:, 0] - RESERVED_CODES] == 0) ^ (generator.random(len(rows)) < 0.1)
    columns: dict[str, Any] = {f"x{i}": rows.numbers[:, i] for i in range(3)}
    table = pa.table(columns | {"city": rows.codes[:, 0], "late": label.astype(np.int32)})
    files = []
    for split in ("train", "validation", "test"):
        (folder / split).mkdir(parents=True)
        pq.write_table(table, folder / split / "part-0.parquet")
        files.append(DataFile(path=f"{split}/part-0.parquet", row_groups=[len(table)]))
    numbers = [Numeric(name=f"x{i}", indicator=False, mean=0, scale=1) for i in range(3)]
    manifest = Manifest(
        name="blobs",
        task="binary",
        label=Label(name="late", classes=["no", "yes"], prior=[0.6, 0.4], mean=0, scale=1),
        columns=[*numbers, Categorical(name="city", vocabulary=names)],
        splits={
            "train": Split(files=[files[0]]),
            "validation": Split(files=[files[1]]),
            "test": Split(files=[files[2]]),
        },
        holdout=[],
        rows_in=3 * len(table),
        quarantined={},
        set_aside={},
        inferred={},
        example=[],
        inputs=[],
        fingerprint="blobs",
        created="2026-01-01T00:00:00+00:00",
    )
    (folder / "manifest.json").write_text(manifest.model_dump_json(), encoding="utf-8")
    return manifest, folder


def test_groups_that_are_far_apart_are_the_same(spark: SparkSession, far_apart: tuple[Manifest, Path]) -> None:
    manifest, folder = far_apart
    rows, names = read_rows(str(folder), manifest, ["train"]), vocabularies(manifest, ["city"])["city"]
    ours = segments_here(rows, "city", names, 1, label="late")
    theirs = segments_in_spark(spark, spark.read.parquet(f"{folder}/train"), manifest, "city", names, seed=1)
    assert parted(ours) == parted(theirs)
    assert len(parted(ours)["kmeans"]) == 3
    for here, there in zip(ours, theirs, strict=True):
        assert here.figure == there.figure
        assert (there.sketch.tree is None) == (here.sketch.tree is None)
        assert there.quality == pytest.approx(here.quality, abs=1e-6)
        assert there.profile.keys() == here.profile.keys() == {"x0", "x1", "x2", "late = yes", ROWS}
        assert sorted(there.profile["x0"]) == pytest.approx(sorted(here.profile["x0"]), abs=1e-6)


def test_rules_are_the_same_to_the_last_row(spark: SparkSession, far_apart: tuple[Manifest, Path]) -> None:
    manifest, folder = far_apart
    names = vocabularies(manifest, [])
    for bar in (Bar(), Bar(confidence=0, lift=1, gain=1, chance=1)):
        ours = rules_here(read_rows(str(folder), manifest, ["train"]), names, support=0.02, bar=bar, label="late")
        sets_here = seek_here(read_rows(str(folder), manifest, ["train"]), names, support=0.02, bar=bar).sets
        kept = spark.read.parquet(f"{folder}/train")
        theirs = in_spark.seek(kept, manifest, names, support=0.02, bar=bar)
        assert ours
        assert ours == theirs.rules
        assert sets_here == theirs.sets
        assert theirs.notes == []


def test_too_many_sets_are_refused_and_it_is_said(
    spark: SparkSession, far_apart: tuple[Manifest, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, folder = far_apart
    monkeypatch.setattr(in_spark, "SETS", 40)
    found = in_spark.seek(spark.read.parquet(f"{folder}/train"), manifest, vocabularies(manifest, []), support=0.02)
    note, sets = found.notes
    assert sets.startswith("frequent item sets are of 7 of 12 items")
    assert note.startswith("rules about late = yes combine the ")
    assert "FP-growth would find too many sets of more" in note
    whole = rules_here(
        read_rows(str(folder), manifest, ["train"]), vocabularies(manifest, []), support=0.02, most=9999, label="late"
    )
    assert found.rules
    assert told(found.rules).items() <= told(whole).items()


def test_airports_carriers_and_delays_of_real_flights(flights_set: tuple[Manifest, Path], tmp_path: Path) -> None:
    _, folder = flights_set
    found = look_here(request(folder, tmp_path, [*COLUMNS, "origin"]))
    _check_flights(found)
    for each in found.segments:
        draw(each, tmp_path / "run")
        assert (tmp_path / "run" / each.figure).stat().st_size > 1000


@pytest.mark.soak
@pytest.mark.parametrize("label", ["late", "air_time"])
def test_spark_finds_the_same_in_real_flights(
    spark: SparkSession, flights_folder: Path, tmp_path: Path, label: str
) -> None:
    manifest, folder = made(spark, flights_data(flights_folder, label), tmp_path / "set")
    found = look_in_spark(spark, request(folder, tmp_path, [*COLUMNS, "origin"]), manifest)
    _check_flights(found, label)
    rows = read_rows(str(folder), manifest, ["train"])
    every = told(
        rules_here(rows, vocabularies(manifest, []), support=support_of(len(rows)), bar=Bar(chance=1), most=10**6)
    )
    known = {rule: of for rule, of in told(found.rules).items() if rule in every}
    assert len(known) > len(found.rules) / 2  # others have a twin that one machine takes instead
    assert all(every[rule] == of for rule, of in known.items())


def _check_flights(found: UnlabelledResult, label: str = "late") -> None:
    assert [(each.column, each.method) for each in found.segments] == [
        (column, method) for column in COLUMNS for method in ("kmeans", "hierarchical", "mixture")
    ]
    assert any("origin: 3 values with a name in train, too few to be grouped" in note for note in found.notes)
    assert all(-1 <= each.quality <= 1 for each in found.segments)
    assert {each.then for each in found.rules} == {LATE if label == "late" else "air_time in the highest quarter"}
    assert all(each.lift >= GAIN for each in found.rules)
    _check_airports(found)


def _check_airports(found: UnlabelledResult) -> None:
    """Airports of Puerto Rico are together, and not with those next door."""
    kmeans = next(each for each in found.segments if (each.column, each.method) == ("dest", "kmeans"))
    of = {name: number for number, group in enumerate(kmeans.groups) for name in group}
    assert of["SJU"] == of["BQN"]
    assert of["SJU"] != of["BOS"]


def test_sums_are_the_same(spark: SparkSession, flights_set: tuple[Manifest, Path]) -> None:
    manifest, folder = flights_set
    names = vocabularies(manifest, ["dest"])["dest"]
    ours = sums_here(read_rows(str(folder), manifest, ["train"]), "dest", names, manifest.label.name)
    theirs = sums_in_spark(spark.read.parquet(f"{folder}/train"), manifest, "dest", names)
    assert ours.features == theirs.features
    assert dict(zip(ours.names, ours.count, strict=True)) == dict(zip(theirs.names, theirs.count, strict=True))
    order = [list(theirs.names).index(name) for name in ours.names]
    np.testing.assert_allclose(theirs.total[order], ours.total, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(theirs.squares[order], ours.squares, rtol=1e-9, atol=1e-6)


def test_a_wrong_column_is_told_before_spark_starts(far_apart: tuple[Manifest, Path], tmp_path: Path) -> None:
    _, folder = far_apart
    for module, column, says in [
        ("spark_jobs.unlabelled", "citty", "contest.segments: there is no column 'citty'; did you mean 'city'?"),
        ("models.unlabelled.look", "x1", "contest.segments: 'x1' is not categorical; categorical columns: city"),
    ]:
        asked = request(folder, tmp_path, [column])
        (tmp_path / "request.json").write_text(asked.model_dump_json(), encoding="utf-8")
        done = subprocess.run([sys.executable, "-m", module, str(tmp_path / "request.json")], check=False)
        assert done.returncode == 1
        assert json.loads(asked.answer.read_text(encoding="utf-8")) == {"error": says}


def test_engines_answer(far_apart: tuple[Manifest, Path], tmp_path: Path) -> None:
    _, folder = far_apart
    asked = request(folder, tmp_path, ["city"])
    (tmp_path / "request.json").write_text(asked.model_dump_json(), encoding="utf-8")
    command = [sys.executable, "-m", "models.unlabelled.look", str(tmp_path / "request.json")]
    subprocess.run(command, check=True)
    found = UnlabelledResult.model_validate(json.loads(asked.answer.read_text(encoding="utf-8"))["result"])
    assert len(found.segments) == 3
    assert found.rules
    assert found.notes == []


@pytest.mark.soak
def test_the_engine_in_spark_answers(far_apart: tuple[Manifest, Path], tmp_path: Path) -> None:
    _, folder = far_apart
    asked = request(folder, tmp_path, ["city"])
    (tmp_path / "request.json").write_text(asked.model_dump_json(), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "spark_jobs.unlabelled", str(tmp_path / "request.json")], check=True)
    found = UnlabelledResult.model_validate(json.loads(asked.answer.read_text(encoding="utf-8"))["result"])
    assert len(found.segments) == 3
    assert found.rules


def test_hashed_columns_have_no_values(flights_set: tuple[Manifest, Path]) -> None:
    manifest, _ = flights_set
    hashed = manifest.model_dump()
    for column in hashed["columns"]:
        if column["name"] == "dest":
            column.clear()
            column.update({"name": "dest", "kind": "hashed", "buckets": 8})
    with pytest.raises(FranklinError, match="'dest' is hashed, so no value has a name"):
        vocabularies(Manifest.model_validate(hashed), ["dest"])
