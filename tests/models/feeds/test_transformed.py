"""A person's function between feed and network, in this process or in others, and batches for a GPU."""

import threading
from itertools import islice
from pathlib import Path

import pytest
import torch

from conf import training
from conf.errors import FranklinError
from conf.manifest import SplitName
from models.feeds import open_feed
from models.feeds.batch import Batch
from models.feeds.feed import Feed
from models.feeds.transformed import Transformed, find
from tests.models.feeds.numbered import WANTED, numbered, source


def negated(batch: Batch) -> Batch:
    """A transform, as a person writes it."""
    return batch._replace(numeric=-batch.numeric)


@pytest.mark.parametrize("layout", ["stored", "mapped"])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_transform_keeps_order_and_position(tmp_path: Path, layout: str, workers: int) -> None:
    manifest = numbered(tmp_path, [[50, 21], [33]])

    def fresh() -> Transformed:
        feed = Feed(source(layout, tmp_path, manifest), batch_size=10, shuffle=True, seed=2)
        return Transformed(feed, negated, workers)

    plain = Feed(source(layout, tmp_path, manifest), batch_size=10, shuffle=True, seed=2)
    changed = fresh()
    assert len(changed) == len(plain) == 11
    first = list(islice(iter(changed), 4))
    resumed = fresh()
    resumed.load_state_dict(changed.state_dict())
    both = zip([*first, *resumed], plain, strict=True)
    assert all(
        torch.equal(ours.numeric, -theirs.numeric) and torch.equal(ours.label, theirs.label) for ours, theirs in both
    )
    assert resumed.state_dict() == plain.state_dict()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("layout", ["stored", "mapped"])
@pytest.mark.parametrize("split", ["train", "validation"])  # shuffled and transformed, or neither
@pytest.mark.parametrize("transform", [None, f"{__name__}:negated"])
def test_batches_reach_a_gpu_as_they_are(tmp_path: Path, layout: str, split: SplitName, transform: str | None) -> None:
    manifest, gpu = numbered(tmp_path, [[50, 21], [33]]), torch.device("cuda", 0)
    manifest = manifest.model_copy(update={"splits": {split: manifest.splits["train"]}})
    wanted = training.Feed(**{**WANTED, "layout": layout}, transform=transform)
    here, there = (
        open_feed(wanted, str(tmp_path), manifest, split, seed=1, rank=0, world_size=1, device=device)
        for device in (None, gpu)
    )
    for ours, theirs in zip(here, there, strict=True):
        tensors = (*theirs.inputs, theirs.label)
        pinned = transform and split == "train"
        assert all(each.is_pinned() if pinned else each.device == gpu for each in tensors)
        assert all(torch.equal(a, b.cpu()) for a, b in zip((*ours.inputs, ours.label), tensors, strict=True))


@pytest.mark.parametrize("layout", ["stored", "mapped"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_no_more_is_pinned_than_a_batch(
    tmp_path: Path, layout: str, shuffle: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a GPU nothing can be pinned, but what would be can be looked at: pinning keeps strides."""
    pinned: list[torch.Tensor] = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda words: pinned.append(words) or words)
    rows = source(layout, tmp_path, numbered(tmp_path, [[50, 21], [33]]))
    batches = list(Feed(rows, batch_size=10, shuffle=shuffle, device=torch.device("cpu")))
    assert len(pinned) == len(batches) == 11
    assert all(words.is_contiguous() for words in pinned)


def test_workers_are_not_forked_from_under_a_thread(tmp_path: Path) -> None:
    manifest = numbered(tmp_path, [[50, 21], [33]])
    wanted = training.Feed(**WANTED, transform=f"{__name__}:negated", workers=2)
    train = open_feed(wanted, str(tmp_path), manifest, "train", seed=1, rank=0, world_size=1)
    assert not [thread for thread in threading.enumerate() if thread.name == "feed"]
    seen = [batch for _ in range(2) for batch in train]
    assert sorted(-int(row) for batch in seen for row in batch.numeric) == sorted([*range(104)] * 2)


def test_a_transform_that_is_not_there_is_named() -> None:
    with pytest.raises(FranklinError, match=r"feed.transform=math:nothing: module 'math' has no attribute 'nothing'"):
        find("math:nothing")
