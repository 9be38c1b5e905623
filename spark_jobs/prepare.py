"""Prepare: a dataset in, a feature set out. `python -m spark_jobs.prepare REQUEST.json`, or by `spark-submit`."""

from datetime import UTC, datetime
from typing import Any

import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from conf.errors import FranklinError
from conf.exchange import PrepareRequest, PrepareResult, clean_up_on_sigterm, serve
from conf.manifest import SPLITS, Column, Label, Manifest, Split
from spark_jobs.dataset import KEY, ROW, column
from spark_jobs.encoding import encode, fit
from spark_jobs.fingerprint import fingerprint, inputs
from spark_jobs.flights import flights
from spark_jobs.reading import naming_damage
from spark_jobs.session import session
from spark_jobs.splitting import FATE, QUARANTINE, REASON, assign
from spark_jobs.table import table
from spark_jobs.tally import Tally, count, fit_label
from spark_jobs.writing import Draft, data_files, drafting, write_split

SOURCES = {"flights": flights, "table": table}
EXAMPLES = 5


def prepare(request: PrepareRequest) -> PrepareResult:
    """Make the feature set that the request asks for, unless it is there.

    Raises:
        FranklinError: The dataset or its configuration is at fault, or a disk is full.

    """
    with drafting(request.folder) as draft:
        if not draft.published:
            with session(request.spark) as spark:
                draft.publish(build(spark, request, draft))
    return PrepareResult(folder=request.folder)


@naming_damage()
def build(spark: SparkSession, request: PrepareRequest, draft: Draft) -> Manifest:
    """Read, split, fit on train, write, and describe what was written.

    Raises:
        FranklinError: The dataset or its configuration is at fault, or its files are no longer those of the request.

    """
    data = request.data
    identity = inputs(data)
    dataset = SOURCES[data.source](spark, data)
    rows = assign(dataset, data.split).persist()
    tally = count(rows, dataset.label, dataset.task)
    train = rows.where(column(FATE) == "train")
    label = fit_label(train, tally, dataset.label, dataset.task)
    columns = fit(train, dataset.columns, data.rare_below)
    write(rows, tally, columns, label, draft)
    holdout = data_files(draft, "holdout")
    manifest = Manifest(
        name=data.name,
        task=dataset.task,
        label=label,
        columns=columns,
        splits={split: Split(files=data_files(draft, split)) for split in SPLITS},
        holdout=holdout,
        rows_in=dataset.read.get["rows"],
        quarantined=tally.quarantined,
        set_aside=tally.set_aside,
        inferred=dataset.inferred,
        example=examples(draft, holdout[0].path, columns),
        inputs=identity,
        fingerprint=request.fingerprint,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    account(manifest)
    # Last, when Spark reads no more: the fingerprint was taken before the first byte was read.
    if fingerprint(data) != request.fingerprint:
        raise FranklinError("the input changed while it was read; run again")
    return manifest


def write(rows: DataFrame, tally: Tally, columns: list[Column], label: Label, draft: Draft) -> None:
    """Write the splits encoded, the test rows raw once more, and the quarantined rows with their reasons."""
    known = column(label.name).isin(label.classes) if label.classes else column(label.name).isNotNull()
    encoded = encode(rows.where(known), columns, label)
    names = [name for name in encoded.columns if name not in (FATE, KEY)]
    for split in SPLITS:
        write_split(encoded.where(column(FATE) == split), names, tally.rows(split), f"{draft.url}/{split}")
    raw = [*(each.name for each in columns), label.name]
    test = rows.where(known & (column(FATE) == "test"))
    write_split(test, raw, tally.rows("test"), f"{draft.url}/holdout")
    if tally.quarantined:
        bad = rows.where(column(FATE) == QUARANTINE).select(column(REASON).alias("reason"), column(ROW).alias("row"))
        bad.coalesce(1).write.parquet(f"{draft.url}/quarantine")


def examples(draft: Draft, path: str, columns: list[Column]) -> list[dict[str, Any]]:
    """Take a few raw test rows, without the label."""
    with draft.system.open(f"{draft.hidden}/{path}", "rb") as file:
        first = next(pq.ParquetFile(file).iter_batches(EXAMPLES, columns=[each.name for each in columns]))
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
