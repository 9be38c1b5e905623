"""Feature set to batches."""

import tempfile
from pathlib import Path

import fsspec
import torch
from fsspec.implementations.local import LocalFileSystem

from conf import training
from conf.manifest import Manifest, SplitName
from models.feeds.division import Division
from models.feeds.feed import Feed, Source
from models.feeds.mapped import LAYOUT_VERSION, Mapped
from models.feeds.stored import Stored
from models.feeds.transformed import Transformed, find


def open_feed(
    settings: training.Feed,
    folder: str,
    manifest: Manifest,
    split: SplitName,
    *,
    seed: int,
    rank: int,
    world_size: int,
    division: Division | None = None,
    device: torch.device | None = None,
) -> Feed | Transformed:
    """Open one rank's feed of a split, as it is configured; only train rows are shuffled and transformed.

    Batches go to the GPU `device`, if there is one; transformed ones as far as pinned memory.

    Raises:
        FranklinError: the split has fewer rows than there are ranks, or there is no such transform.

    """
    stored = _stored(settings)(folder, manifest, split, settings.memory_bytes)
    source: Source = stored
    transform = find(settings.transform) if settings.transform and split == "train" else None
    if settings.layout == "mapped":
        source = mapped = Mapped(stored, cache_folder(settings, folder, manifest), split, settings.memory_bytes)
        if not (settings.transform and settings.workers):  # which are forked, and not from under a thread
            mapped.begin()
    feed = Feed(
        source,
        batch_size=settings.batch_size,
        shuffle=split == "train",
        seed=seed,
        rank=rank,
        world_size=world_size,
        division=division,
        device=None if transform else device,
    )
    return Transformed(feed, transform, settings.workers, pinned=device is not None) if transform else feed


def _stored(settings: training.Feed) -> type[Stored]:
    if settings.name == "arrow":
        return Stored
    from models.feeds.petastorm import Petastorm  # takes a second to import

    return Petastorm


def cache_folder(settings: training.Feed, folder: str, manifest: Manifest) -> Path:
    """Where a feature set's mapped files are, on a disk of this machine."""
    filesystem, path = fsspec.core.url_to_fs(folder)
    name = f"{manifest.name}-{manifest.fingerprint[:12]}"
    layout = f"mapped-{LAYOUT_VERSION}-{settings.name}"  # decoders cut a split into parts of their own
    if settings.cache is not None:
        return settings.cache / name / layout
    if isinstance(filesystem, LocalFileSystem):
        return Path(path) / f".{layout}"
    return Path(tempfile.gettempdir()) / "franklin" / name / layout
