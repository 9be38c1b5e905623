"""The data that `benchmarks.select` has models chosen for: feature sets, and their rows as arrays for everyone."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from benchmarks.by_hand import call
from conf.compose import compose
from conf.exchange import PrepareResult
from conf.manifest import SPLITS, read_manifest
from conf.splits import DateSplit
from flows.engines import PREPARE, to_prepare
from models.candidates.reading import read_rows
from spark_jobs.fingerprint import fingerprint

FLIGHTS = ("flights_delay", "flights_airtime")
BUNDLED = {"breast_cancer": load_breast_cancer, "diabetes": load_diabetes, "wine": load_wine}
SETS = (*FLIGHTS, *BUNDLED)


def experiment(name: str, folder: Path, seed: int) -> str:
    """Give what is composed for a set: a name, or a YAML file of a table, whose split is drawn from the seed.

    Flights are parted by date, the same for all seeds. Of some hundred rows, which ones are test decides more than
    anything that is fitted, so they are others for each seed.
    """
    if name in FLIGHTS:
        return name
    data = BUNDLED[name](as_frame=True)
    frame = data.frame.drop(columns="target")
    classes = getattr(data, "target_names", None)
    label = data.target if classes is None else [str(classes[code]) for code in data.target]
    folder.mkdir(parents=True, exist_ok=True)
    rows = [f"{seed}-{place}" for place in range(len(frame))]
    frame.rename(columns=lambda each: each.replace(" ", "_").replace("/", "_")).assign(label=label, row=rows).to_csv(
        folder / f"{name}.csv", index=False
    )
    split = {"by": "hash", "key": ["row"], "validation": 0.2, "test": 0.25}
    said = {"path": f"{name}.csv", "label": "label", "ignore": ["row"], "split": split}
    (folder / f"{name}.yaml").write_text(json.dumps(said), encoding="utf-8")  # JSON is YAML
    return str(folder / f"{name}.yaml")


def prepare(said: str, folder: Path) -> Path:
    """Have Spark make the feature set, and leave its rows as arrays beside it, in `rows`."""
    settings = compose(said, [f"home={folder / 'home'}"])
    features = folder / "features"
    call(PREPARE, to_prepare(settings, folder, str(features), fingerprint(settings.data)), PrepareResult)
    export(features, folder / "rows", by_date=isinstance(settings.data.split, DateSplit))
    return features


def export(features: Path, rows: Path, *, by_date: bool) -> None:
    """Write the encoded rows of each split, `(rows, numbers)`, `(rows, codes)` and `(rows,)` labels, and facts."""
    manifest = read_manifest(str(features))
    rows.mkdir(parents=True)
    for split in SPLITS:
        found = read_rows(str(features), manifest, (split,))
        np.save(rows / f"{split}.numbers.npy", found.numbers)
        np.save(rows / f"{split}.codes.npy", found.codes)
        np.save(rows / f"{split}.label.npy", found.label)
    facts: dict[str, Any] = {
        "task": manifest.task,
        "cardinalities": list(found.columns.cardinalities),
        "by_date": by_date,
    }
    (rows / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
