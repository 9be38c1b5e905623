"""Where ranks' memory comes from: what checkpointing saves is saved for the system too."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conf.training import Checkpointing
from models.feeds.batch import Batch
from models.launching.allocator import OWN_PAGES, PRELOAD, better, lent, variables
from tests.models import launch

TOLD = "FRANKLIN_TEST_TOLD"
ROOT = Path(__file__).parents[3]
STEP = """
import sys
from pathlib import Path
import torch
from torch import nn
from models.networks.network import Network
from models.parallel.checkpointing import checkpoint_blocks

def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

block = lambda: nn.Sequential(nn.LayerNorm(256), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 256))
network = Network(nn.Linear(256, 256), [block() for _ in range(64)], nn.Linear(256, 1))
checkpoint_blocks(network, sys.argv[1])
rows = torch.randn(2048, 256)
_ = [torch.ones(4 * 2**20) for _ in range(2)]  # freed: glibc takes sizes up to it from its heap from now on
before = peak()
for _ in range(2):
    network(rows).sum().backward()
print(peak() - before)
"""


def resident_kibibytes(checkpointing: Checkpointing, environment: dict[str, str]) -> int:
    command = [sys.executable, "-c", STEP, checkpointing]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' allocators are others")
@pytest.mark.soak
@pytest.mark.parametrize("tcmalloc", [True, False])
def test_what_checkpointing_saves_is_saved_for_the_system(tcmalloc: bool) -> None:
    if tcmalloc and not better():
        pytest.skip("tcmalloc is not installed: apt-get install libtcmalloc-minimal4")
    plain = {name: value for name, value in os.environ.items() if name not in {PRELOAD, *OWN_PAGES}}
    added = variables("sqrt", plain) if tcmalloc else OWN_PAGES
    assert (PRELOAD in added) is tcmalloc
    every, few = (resident_kibibytes(how, plain | added) for how in ("none", "sqrt"))
    assert few < 0.5 * every


def tells_its_allocator(batch: Batch) -> Batch:
    """A transform that writes down what its rank was started with."""
    found = {name: os.environ[name] for name in (PRELOAD, *OWN_PAGES) if name in os.environ}
    loaded = "tcmalloc" in Path("/proc/self/maps").read_text(encoding="utf-8")
    Path(os.environ[TOLD]).write_text(json.dumps([found, loaded]), encoding="utf-8")
    return batch


@pytest.mark.distributed
@pytest.mark.skipif(sys.platform != "linux", reason="other systems' allocators are others")
def test_a_rank_has_it(feature_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOLD, str(tmp_path / "told"))
    for name in (PRELOAD, *OWN_PAGES):
        monkeypatch.delenv(name, raising=False)
    expected = variables("sqrt")
    wanted = launch.request(feature_set, tmp_path, max_epochs=1)
    feed = wanted.feed.model_copy(update={"transform": f"{__name__}:tells_its_allocator"})
    launch.run(wanted.model_copy(update={"feed": feed, "checkpointing": "sqrt"}))
    assert json.loads((tmp_path / "told").read_text()) == [expected, better() is not None]


def test_the_next_training_of_an_agent_gets_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (PRELOAD, *OWN_PAGES):
        monkeypatch.delenv(name, raising=False)
    ways: tuple[Checkpointing, ...] = ("sqrt", "none", "sqrt")
    for how in ways:
        expected = variables(how)
        with lent(how):
            assert {name: os.environ[name] for name in expected} == expected
            assert variables(how) == {} if expected else True
        assert os.environ.keys().isdisjoint({PRELOAD, *OWN_PAGES})


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' allocators are others")
def test_what_a_person_has_set_stays() -> None:
    assert variables("sqrt", {PRELOAD: "libjemalloc.so.2"}) == {}
    assert variables("sqrt", {PRELOAD: ""}) == variables("sqrt", {}) != {}
    assert variables("sqrt", dict.fromkeys(OWN_PAGES, "0")) == {}
