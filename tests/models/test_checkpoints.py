"""Half-written checkpoints: an older whole one is taken instead, and where there is none a person is told."""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from conf.checkpoints import complete
from conf.errors import FranklinError
from models import shards
from models.checkpoints import clear, last_checkpoint
from models.shards import REST, Saver, damage, remove_whole, step_name
from tests.feature_sets import write_feature_set
from tests.models import launch


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two checkpoints of a training."""
    folder = tmp_path_factory.mktemp("run")
    write_feature_set(folder, "binary")
    launch.run(launch.request(folder, folder / "run", max_epochs=3, keep_checkpoints=2))
    return folder / "run" / "checkpoints"


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "checkpoints"))


def cut_shard(path: Path) -> str:
    shard = next(path.glob("*.distcp"))
    shard.write_bytes(shard.read_bytes()[:-1])
    return f"{shard.name} is too short"


def lose_shard(path: Path) -> str:
    shard = next(path.glob("*.distcp"))
    shard.unlink()
    return f"{shard.name} is missing"


def lose_metadata(path: Path) -> str:
    (path / ".metadata").unlink()
    return "No such file or directory"


def empty_metadata(path: Path) -> str:
    (path / ".metadata").write_bytes(b"")
    return "Ran out of input"


def cut_rest(path: Path) -> str:
    (path / REST).write_bytes((path / REST).read_bytes()[:200])
    return "failed"


DEEDS = [cut_shard, lose_shard, lose_metadata, empty_metadata, cut_rest]


@pytest.mark.parametrize("deed", DEEDS)
def test_a_damaged_checkpoint_is_passed_over(
    deed: Callable[[Path], str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older, newer = (folder / step_name(step) for step in (40, 60))
    assert last_checkpoint(folder) == newer
    reason = deed(newer)
    assert last_checkpoint(folder) == older
    clear(folder, older)
    assert complete(folder) == [older]  # else the damaged one would be kept instead of those that come
    told = capsys.readouterr().err
    assert told.startswith(f"the checkpoint {newer} is damaged (")
    assert reason in told


def test_if_all_are_damaged_a_person_decides(folder: Path) -> None:
    for path in folder.glob("step-*"):
        cut_shard(path)
    with pytest.raises(FranklinError, match=rf"step-000000060 is damaged .*; delete {folder} to start afresh$"):
        last_checkpoint(folder)


def test_the_best_is_kept_while_the_next_best_is_written(tmp_path: Path) -> None:
    saver = Saver(tmp_path, keep=1)
    for step in (80, 95, 100):
        if step != 95:  # which is still being written when training says that 100 is the best
            saver.best_step = step
        saver.save(tmp_path / step_name(step), {"network": {"weight": torch.zeros(2)}}, {})
        if step == 95:
            saver.best_step = 100
            saver.wait()
            assert complete(tmp_path) == [tmp_path / step_name(step) for step in (80, 95)]
    saver.wait()
    assert complete(tmp_path) == [tmp_path / step_name(100)]


def test_what_was_not_finished_is_cleared_and_nothing_is_half_removed(folder: Path) -> None:
    (folder / "step-000000080.partial").mkdir()
    (folder / "step-000000040-old.partial").mkdir()
    remove_whole(folder / step_name(40))
    clear(folder, None)
    assert sorted(path.name for path in folder.iterdir()) == ["identity.json", step_name(60)]
    assert damage(folder / step_name(60)) is None
    assert last_checkpoint(folder / "nowhere") is None


@pytest.mark.distributed
def test_a_checkpoint_of_a_later_epoch_than_training_has_is_told_at_once(written: Path, tmp_path: Path) -> None:
    wanted = launch.request(written.parents[1], tmp_path / "run", max_epochs=1)
    shutil.copytree(written, tmp_path / "run" / "checkpoints")
    with launch.start(wanted) as agent:
        agent.communicate()
    line = "step-000000060 is of epoch 3, and trainer.max_epochs=1; take as many as it has, or more"
    assert launch.answer(wanted)["error"].endswith(line)
    assert "start again" not in launch.log(wanted)


@pytest.mark.distributed
def test_all_ranks_go_on_from_what_rank_0_has_found(written: Path, tmp_path: Path) -> None:
    shutil.copytree(written, tmp_path / "checkpoints")
    cases = (
        "none_is_none",
        "what_a_machine_does_not_see_yet_is_waited_for",
        "what_a_machine_never_sees_is_told",
    )
    launch.together("tests.models.together", 2, *(f"{case}={tmp_path}" for case in cases))


def test_what_was_written_on_a_full_disk_is_removed(tmp_path: Path) -> None:
    partial = tmp_path / "step-000000007.partial"
    partial.mkdir()
    with pytest.raises(FranklinError, match="is full; make room there"), shards.written(partial):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert not partial.exists()


@pytest.mark.distributed
@pytest.mark.soak
@pytest.mark.parametrize("ranks", [1, 2])
def test_a_disk_that_fills_is_told_in_one_line(ranks: int, written: Path, tmp_path: Path) -> None:
    """The run's folder is on a disk of 256 KiB, in a mount namespace of the agent's own."""
    wanted = launch.request(written.parents[1], tmp_path / "run", "ddp" if ranks > 1 else "single", ranks)
    request = tmp_path / "request.json"
    request.write_text(wanted.model_dump_json(), encoding="utf-8")
    private = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    mount = f"mount -t tmpfs -o size=256k tmpfs {tmp_path / 'run'}"
    if subprocess.run([*private, mount], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a tmpfs in a namespace of one's own")
    command = [sys.executable, "-m", "models.launch", str(request)]
    log = tmp_path / "run" / "log"  # on the same disk, as a flow has it
    script = f'{mount}; "$@" 2>{log}; status=$?; cat {log} >&2; cat {wanted.answer}; exit $status'
    done = subprocess.run([*private, script, "sh", *command], capture_output=True, check=False, text=True)
    assert done.returncode == 1, done.stderr
    said = json.loads(done.stdout)["error"]
    assert (
        said == f"the disk of {tmp_path / 'run' / 'checkpoints'} is full; make room there, or set home to another disk"
    )
    assert "start again" not in done.stderr
