"""Candidates are fitted behind a Spark Connect server, too, and what they leave answers here."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from conf.compose import compose
from conf.data import Task
from conf.selecting import Fit
from models.candidates import named
from models.candidates.engines import IN_SPARK, in_spark, opened
from models.candidates.fits import LocalFits
from models.candidates.inspark import BOOSTED
from tests.feature_sets import write_feature_set
from tests.spark_jobs.fitting.test_fits import SMALL, read, request_of, task_of
from tests.spark_jobs.servers import Servers


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    servers = Servers(tmp_path_factory.mktemp("servers"))
    yield servers.connect()
    servers.end()


@pytest.mark.soak
@pytest.mark.spark
@pytest.mark.server
@pytest.mark.parametrize("task", ["binary", "regression"])
def test_a_connect_server_fits_and_what_it_leaves_answers_here(task: Task, remote: str, tmp_path: Path) -> None:
    manifest = write_feature_set(tmp_path / "set", task, 400)
    pool, test = (read(tmp_path / "set", manifest, *s) for s in (("train", "validation"), ("test",)))
    far = compose("flights_delay", ["spark=connect", f"spark.remote={remote}"]).spark
    request = request_of(tmp_path / "set", tmp_path).model_copy(update={"spark": far})
    candidates = {name: named(name) for name in sorted(IN_SPARK) if task in named(name).tasks}
    np.save(tmp_path / "stop.npy", np.arange(0, 400, 10))
    finals, found = [], list[Fit]()
    with opened(request, "spark", pool, test, candidates) as fits:
        assert {name for name, who in fits.items() if isinstance(who, LocalFits)} == {"xgboost"}
        for name in sorted(in_spark(task, connect=True) & candidates.keys()):
            stop = tmp_path / "stop.npy" if name in BOOSTED else None
            model, values = tmp_path / "models" / name, SMALL.get(name, {})
            finals.append(task_of(name, tmp_path, range(400), None, values=values, model=model, stop=stop))
        fits["decision_tree"].do(finals, found.append)
    assert {fit.candidate: fit.failure for fit in found} == {final.candidate: None for final in finals}
    for final in finals:
        assert final.model
        kept = named(final.candidate).load(final.model, test.columns)
        np.testing.assert_allclose(kept.predict(test), np.load(final.scores), rtol=1e-4, atol=1e-6)
