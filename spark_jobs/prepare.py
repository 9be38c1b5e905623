"""Prepare: a dataset in, a feature set out. `python -m spark_jobs.prepare REQUEST.json`, or by `spark-submit`."""

from datetime import UTC, datetime
from typing import Any

import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from conf.columns import Column, TensorColumn
from conf.data import Task
from conf.errors import FranklinError
from conf.exchange import PrepareRequest, PrepareResult, clean_up_on_sigterm, serve
from conf.manifest import SPLITS, WHERE, InputFile, Label, Manifest, Split
from conf.profile import Profile
from spark_jobs.checks import judge
from spark_jobs.dataset import KEY, ROW, Dataset, column
from spark_jobs.encoding import Encoding, encode, fit
from spark_jobs.encoding.unischema import write_unischema
from spark_jobs.fingerprint import fingerprint, inputs
from spark_jobs.partitions import deal_by_size
from spark_jobs.profiling import look
from spark_jobs.profiling.page import page
from spark_jobs.session import kept, session
from spark_jobs.sources.digits import digits
from spark_jobs.sources.faults import naming_damage
from spark_jobs.sources.flights import flights
from spark_jobs.sources.table import table
from spark_jobs.sources.text import text
from spark_jobs.splitting import FATE, QUARANTINE, REASON, assign, belongs
from spark_jobs.tally import Tally, count, fit_label
from spark_jobs.writing import SMALL, Draft, data_files, drafting, write_split

SOURCES = {"flights": flights, "digits": digits, "text": text, "table": table}
EXAMPLES = 5
WORD_BYTES = 4


def prepare(request: PrepareRequest) -> PrepareResult:
    """Make the feature set that the request asks for, unless it is there.

    Raises:
        FranklinError: The dataset or its configuration is at fault, or a disk is full.

    """
    with drafting(request.folder) as draft:
        if not draft.published:
            with session(request.spark, f"{draft.url}/unpacked") as spark:
                manifest = build(spark, request, draft)
            draft.publish(manifest)
    return PrepareResult(folder=request.folder)


@naming_damage()
def build(spark: SparkSession, request: PrepareRequest, draft: Draft) -> Manifest:
    """Read, split, fit on train, write, and describe what was written.

    Raises:
        FranklinError: The dataset or its configuration is at fault, or its files are no longer those of the request.

    """
    data = request.data
    identity = inputs(data)
    deal_by_size(spark, request.spark, identity)
    dataset = SOURCES[data.source](spark, data, request.days)
    with kept(assign(dataset, data.split)) as rows:
        manifest = describe(rows, dataset, request, draft, identity)
    # Last, when Spark reads no more: the fingerprint was taken before the first byte was read.
    if fingerprint(data) != request.fingerprint:
        raise FranklinError("the input changed while it was read; run again")
    return manifest


def describe(
    rows: DataFrame, dataset: Dataset, request: PrepareRequest, draft: Draft, identity: list[InputFile]
) -> Manifest:
    """Fit on train, write, and describe what was written.

    Raises:
        FranklinError: The dataset or its configuration is at fault.

    """
    data = request.data
    tally = count(rows, dataset.label, dataset.task)
    judge(data.checks, dataset, tally, draft, data.name)
    train = rows.where(column(FATE) == "train")
    label = fit_label(train, tally, dataset.label, dataset.task, data.rare_below)
    looks = look(in_splits(rows, label, dataset.task), dataset.columns, data, label, tally)
    encoding = fit(train, dataset.columns, data, label, profile=looks.profile, words=looks.words)
    where = belongs(data.split, data.day)
    write(in_splits(rows, label, dataset.task), tally, encoding, draft, [WHERE] if where else [])
    if tally.quarantined:
        write_quarantine(rows, draft)
    holdout = data_files(draft, "holdout")
    splits = {split: Split(files=data_files(draft, split)) for split in SPLITS}
    if any(isinstance(each, TensorColumn) and each.codec == "ndarray" for each in encoding.columns):
        for split in SPLITS:
            write_unischema(draft, split, splits[split].files, encoding.columns, label)
    manifest = Manifest(
        name=data.name,
        task=dataset.task,
        label=label,
        columns=encoding.columns,
        splits=splits,
        holdout=holdout,
        where=where,
        rows_in=dataset.read.get["rows"],
        quarantined=tally.quarantined,
        set_aside=tally.set_aside,
        inferred=dataset.inferred,
        example=examples(draft, holdout[0].path, encoding.columns),
        inputs=identity,
        newest=dataset.read.get["newest"],
        fingerprint=request.fingerprint,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    account(manifest)
    write_profile(looks.profile, f"{data.name}: {sum(looks.profile.rows.values()):,} rows", draft)
    return manifest


def in_splits(rows: DataFrame, label: Label, task: Task) -> DataFrame:
    """Return the rows of the three splits, without those of a class that train lacks."""
    classed = task in ("binary", "multiclass")
    known = column(label.name).isin(label.classes) if classed else column(label.name).isNotNull()
    return rows.where(column(FATE).isin(*SPLITS) & known)


def write(rows: DataFrame, tally: Tally, encoding: Encoding, draft: Draft, beside: list[str]) -> None:
    """Write the rows of the splits encoded, with franklin's columns `beside` them, and those of test raw once more."""
    encoded = encode(rows, encoding)
    features = [name for name in encoded.columns if name not in (FATE, KEY, WHERE)]
    names = [*features, *beside]
    row_bytes = WORD_BYTES * sum(each.size for each in encoding.columns if isinstance(each, TensorColumn))
    for split in SPLITS:
        part = encoded.where(column(FATE) == split)
        write_split(part, names, tally.rows(split), f"{draft.url}/{split}", row_bytes=row_bytes)
    raw = [*dict.fromkeys([*(each.name for each in encoding.columns), encoding.label.name])]
    test = rows.where(column(FATE) == "test")
    write_split(test, raw, tally.rows("test"), f"{draft.url}/holdout", row_bytes=row_bytes, codec=SMALL)


def write_quarantine(rows: DataFrame, draft: Draft) -> None:
    """Write the quarantined rows with their reasons."""
    bad = rows.where(column(FATE) == QUARANTINE).select(column(REASON).alias("reason"), column(ROW).alias("row"))
    bad.coalesce(1).write.parquet(f"{draft.url}/quarantine")


def write_profile(profile: Profile, title: str, draft: Draft) -> None:
    """Write what the columns look like, for the drift check and, as a page, for people."""
    draft.system.pipe_file(f"{draft.hidden}/profile.json", profile.model_dump_json(indent=1).encode())
    draft.system.pipe_file(f"{draft.hidden}/profile.html", page(profile, title).encode())


def examples(draft: Draft, path: str, columns: list[Column]) -> list[dict[str, Any]]:
    """Take a few raw test rows, without the label; of tensors one is enough."""
    few = 1 if any(isinstance(each, TensorColumn) for each in columns) else EXAMPLES
    with draft.system.open(f"{draft.hidden}/{path}", "rb") as file:
        first = next(pq.ParquetFile(file).iter_batches(few, columns=[each.name for each in columns]))
    rows: list[dict[str, Any]] = first.to_pylist()
    return rows


def account(manifest: Manifest) -> None:
    """Make sure that no row was lost or doubled between the input and the files.

    Raises:
        RuntimeError: One was, which is a defect.

    """
    written = {split: manifest.splits[split].rows for split in SPLITS}
    out = sum(written.values()) + sum(manifest.quarantined.values()) + sum(manifest.set_aside.values())
    if out != manifest.rows_in or sum(file.rows for file in manifest.holdout) != written["test"]:
        raise RuntimeError(f"{manifest.rows_in} rows came in, {out} are accounted for ({written})")


if __name__ == "__main__":
    clean_up_on_sigterm()
    serve(PrepareRequest, prepare)
