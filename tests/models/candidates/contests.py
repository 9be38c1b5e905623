"""Small contests for tests: feature sets of given arrays, requests, and the engine in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from conf.columns import RESERVED_CODES, Categorical, Column, Numeric
from conf.compose import compose
from conf.data import Task
from conf.manifest import WHERE, DataFile, Label, Manifest, Split
from conf.selecting import ContestRequest, Entrant, Findings
from models.candidates.rows import Columns, Rows
from tests.models import launch

ENGINE = "models.candidates.contest"
CONTEST: dict[str, Any] = {
    "name": "default",
    "candidates": None,
    "engine": "local",
    "folds": 3,
    "sizes": [0.1, 0.3],
    "budget_seconds": 60,
    "trials": 0,
    "fit_seconds": 20,
    "memory": "512m",
    "costs": None,
    "limits": {"latency_seconds": None, "size": None, "processor_seconds": None},
    "blind": False,
    "segments": [],
    "rules": False,
}


def write_rows(folder: Path, rows: Rows, *, validation: float = 0.2, test: float = 0.2) -> Manifest:
    """Write rows as a feature set, in their order: train, validation, test."""
    columns, count = rows.columns, len(rows)
    first, last = round(count * (1 - validation - test)), round(count * (1 - test))
    parts = {"train": slice(0, first), "validation": slice(first, last), "test": slice(last, count)}
    splits = {}
    for name, part in parts.items():
        arrays: dict[str, Any] = {name: rows.numbers[part, place] for place, name in enumerate(columns.numbers)}
        arrays |= {name: rows.codes[part, place] for place, name in enumerate(columns.codes)}
        arrays["label"] = rows.label[part].astype(np.int32 if columns.classes else np.float32)
        if rows.where is not None:
            arrays[WHERE] = rows.where[part].astype(np.int32)
        (folder / name).mkdir(parents=True)
        pq.write_table(pa.table(arrays), folder / name / "part-0.parquet")
        length = part.stop - part.start
        splits[name] = Split(files=[DataFile(path=f"{name}/part-0.parquet", row_groups=[length])])
    known: list[Column] = [Numeric(name=name, mean=0, scale=1, indicator=False) for name in columns.numbers]
    known += [
        Categorical(name=name, vocabulary=[f"v{code}" for code in range(size - RESERVED_CODES)])
        for name, size in zip(columns.codes, columns.cardinalities, strict=True)
    ]
    classes = list(columns.classes)
    share = np.bincount(rows.label[:first].astype(int), minlength=len(classes)) / first if classes else []
    mean, scale = (0.0, 1.0) if classes else (float(np.nanmean(rows.label)), float(np.nanstd(rows.label)) or 1.0)
    manifest = Manifest(
        name="made",
        task=columns.task,
        label=Label(name="label", classes=classes, prior=list(share), mean=mean, scale=scale),
        columns=known,
        splits=splits,
        holdout=[],
        where=columns.where,
        rows_in=count,
        quarantined={},
        set_aside={},
        inferred={},
        example=[],
        inputs=[],
        fingerprint="made",
        created="2026-01-01T00:00:00+00:00",
    )
    (folder / "manifest.json").write_text(manifest.model_dump_json(), encoding="utf-8")
    return manifest


def made_rows(task: Task, label: Any, numbers: Any, codes: Any = None, *, where: Any = None, kind: str = "day") -> Rows:
    """Rows of arrays; columns are named x0, x1, ... and c0, c1, ..."""
    numbers = np.asarray(numbers, np.float32)
    codes = np.empty((len(numbers), 0), np.int32) if codes is None else np.asarray(codes, np.int32)
    label = np.asarray(label, np.float64)
    names = {"binary": ("no", "yes"), "regression": ()}
    classes = names[task] if task in names else tuple(f"k{k}" for k in range(int(label.max()) + 1))
    columns = Columns(
        task=task,
        numbers=tuple(f"x{place}" for place in range(numbers.shape[1])),
        codes=tuple(f"c{place}" for place in range(codes.shape[1])),
        cardinalities=tuple(int(codes[:, place].max()) + 1 for place in range(codes.shape[1])),
        classes=classes,
        where=None if where is None else kind,
    )
    return Rows(columns, numbers, codes, label, None if where is None else np.asarray(where, np.int64))


def contest_request(feature_set: Path, run_folder: Path, seed: int = 0, **changes: Any) -> ContestRequest:
    """Ask for a contest with other settings than `CONTEST`'s."""
    return ContestRequest.model_validate(
        {
            "answer": run_folder / "answer.json",
            "feature_set": str(feature_set),
            "run_folder": run_folder,
            "experiment": "made",
            "seed": seed,
            "contest": CONTEST | changes,
            "split": {"by": "hash", "validation": 0.2, "test": 0.2},
            "bootstrap": 50,
            "cores": 2,
            "networks": [],
            "spark": {
                "name": "local",
                "master": "local[2]",
                "memory": "1g",
                "shuffle_partitions": 2,
                "jars": [],
                "conf": {},
            },
            "spark_fits": [],
        }
    )


def mlp(feature_set: Path, run_folder: Path) -> Entrant:
    """A network as it is shipped."""
    settings = compose("flights_airtime")
    train = launch.request(feature_set, run_folder)
    parts = {name: getattr(settings, name) for name in ("model", "optimizer", "trainer", "feed")}
    return Entrant(name="mlp", train=train.model_copy(update=parts | {"cores": 1}))


def start(request: ContestRequest, module: str = ENGINE, **environment: str) -> subprocess.Popen[str]:
    """Start the engine."""
    request.run_folder.mkdir(parents=True, exist_ok=True)
    path = request.run_folder / "request.json"
    path.write_text(request.model_dump_json(), encoding="utf-8")
    command = [sys.executable, "-m", module, str(path)]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env={**os.environ, **environment}, start_new_session=True, **pipes)


def answered(request: ContestRequest, module: str = ENGINE) -> tuple[dict[str, Any], str]:
    """Run the engine to its end: its answer, and what it printed to standard error."""
    engine = start(request, module)
    _, said = engine.communicate(timeout=300)
    assert request.answer.exists(), said
    return json.loads(request.answer.read_text(encoding="utf-8")), said


def found(request: ContestRequest, module: str = ENGINE) -> Findings:
    """Run a contest to its end, and read its findings."""
    answer, said = answered(request, module)
    assert "result" in answer, f"{answer}\n{said}"
    return Findings.model_validate_json(Path(answer["result"]["findings"]).read_text(encoding="utf-8"))
