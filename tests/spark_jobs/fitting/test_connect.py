"""Candidates are fitted behind a Spark Connect server as they are in a session of this machine's."""

from pathlib import Path

import numpy as np
import pytest

from conf.compose import compose
from conf.selecting import Fit
from models.candidates import named
from models.candidates.engines import in_spark
from models.candidates.inspark import SparkFits
from tests.feature_sets import write_feature_set
from tests.spark_jobs.fitting.test_fits import SMALL, read, request_of, task_of
from tests.spark_jobs.servers import Servers


@pytest.mark.soak
@pytest.mark.spark
@pytest.mark.server
def test_a_connect_server_fits_and_what_it_leaves_answers_here(tmp_path: Path) -> None:
    manifest = write_feature_set(tmp_path / "set", "binary", 400)
    pool, test = (read(tmp_path / "set", manifest, *s) for s in (("train", "validation"), ("test",)))
    (tmp_path / "servers").mkdir()
    servers, found = Servers(tmp_path / "servers"), list[Fit]()
    names = [name for name in SMALL if name in in_spark("binary", connect=True) and "binary" in named(name).tasks]
    try:
        far = compose("flights_delay", ["spark=connect", f"spark.remote={servers.connect()}"]).spark
        request = request_of(tmp_path / "set", tmp_path).model_copy(update={"spark": far})
        finals = [
            task_of(name, tmp_path, range(400), None, values=SMALL[name], model=tmp_path / "models" / name)
            for name in names
        ]
        with SparkFits(request.spark_fits, request, pool, test) as fits:
            fits.do(finals, found.append)
    finally:
        servers.end()
    assert {fit.candidate: fit.failure for fit in found} == dict.fromkeys(names)
    for final in finals:
        assert final.model
        kept = named(final.candidate).load(final.model, test.columns)
        np.testing.assert_allclose(kept.predict(test), np.load(final.scores), rtol=1e-4, atol=1e-6)
