"""The one place that writes: a feature set is there whole, or not at all."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from errno import ENOSPC
from pathlib import Path
from typing import Any

import fsspec
import pyarrow.parquet as pq
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from conf.errors import FranklinError
from conf.manifest import DataFile, Manifest
from spark_jobs.dataset import column
from spark_jobs.splitting import spread

GROUP_ROWS, GROUP_BYTES = 16_384, 2**24
GROUPS_PER_FILE = 4
# A split has at least so many row groups, if it has the rows, so that ranks can share it.
FEWEST_GROUPS = 8
# Types that are written plain, and what is appended to a name to say so.
PLAIN = {"float": "", "binary": "", "array<float>": ".list.element"}
# Of flights, lz4 took 1.6 times the room of zstd and 0.6 of the time to decode.
QUICK, SMALL = "lz4_raw", "zstd"
DRAFT = ".draft"
NO_SPACE = "No space left on device"


class Draft:
    """A hidden folder beside the feature set, to write into until it is complete."""

    def __init__(self, folder: str) -> None:
        """Name the folder; nothing is written yet."""
        self.system, self.target = fsspec.core.url_to_fs(folder)
        self.parent, _, name = self.target.rpartition("/")
        self.hidden = f"{self.parent}/.{name}{DRAFT}"

    @property
    def url(self) -> str:
        """Where to write."""
        url: str = self.system.unstrip_protocol(self.hidden)
        return url

    @property
    def published(self) -> bool:
        """Whether the feature set is there already."""
        return bool(self.system.exists(f"{self.target}/manifest.json"))

    def publish(self, manifest: Manifest) -> None:
        """Move the folder to its name, and only then write the manifest, without which it does not exist."""
        self.system.mv(self.hidden, self.target, recursive=True)
        text = manifest.model_dump_json(indent=1).encode()
        self.system.pipe_file(f"{self.target}/.manifest.json", text)
        self.system.mv(f"{self.target}/.manifest.json", f"{self.target}/manifest.json")

    def clear(self) -> None:
        """Remove what an unfinished run has left: the draft, and a target without a manifest."""
        for left in (self.hidden, *(() if self.published else (self.target,))):
            if self.system.exists(left):
                self.system.rm(left, recursive=True)


@contextmanager
def drafting(folder: str) -> Iterator[Draft]:
    """Open a draft of the feature set at `folder`; unless it is published, nothing of it is left.

    Two runs that make the same feature set on one machine take turns.

    Raises:
        FranklinError: A disk is full.

    """
    draft = Draft(folder)
    with _turn(draft), full_disk(draft.parent):
        draft.clear()
        try:
            yield draft
        finally:
            draft.clear()


def write_split(
    rows: DataFrame, names: list[str], count: int, folder: str, *, row_bytes: int = 0, codec: str = QUICK
) -> None:
    """Write columns of `count` rows as Parquet, in files and row groups of even size for ranks to share.

    Rows of many bytes make groups of fewer rows. Floats and tensors are written plain: a dictionary saves little on
    them and makes them slower to read.

    Raises:
        FranklinError: Executors have written them where this machine does not see them.

    """
    most = min(GROUP_ROWS, max(1, GROUP_BYTES // max(1, row_bytes)))
    groups = max(-(-count // most), FEWEST_GROUPS)
    per_group = max(1, -(-count // groups))
    plain = [name + PLAIN[kind] for name, kind in rows.dtypes if kind in PLAIN and name in names]
    options = {f"parquet.enable.dictionary#{name}": "false" for name in plain}
    files = -(-count // (most * GROUPS_PER_FILE))
    chosen = spread(rows, files).select(*map(column, names))
    writer = chosen.write.option("parquet.block.row.count.limit", per_group)
    writer.options(**options).parquet(folder, compression=codec)
    if count:
        check_seen(folder)


def check_seen(folder: str) -> None:
    """Look for what Spark has written.

    Raises:
        FranklinError: Executors have written it where this machine does not see it.

    """
    system, path = fsspec.core.url_to_fs(folder)
    if not any(file.endswith(".parquet") for file in system.find(path)):
        raise FranklinError(
            f"Spark's executors wrote {folder} and it is not here: set home to a folder that all machines see"
        )


def data_files(draft: Draft, name: str) -> list[DataFile]:
    """Read back from the footers of one folder what was written."""
    return [
        DataFile(path=path.removeprefix(f"{draft.hidden}/"), row_groups=_row_groups(draft.system, path))
        for path in sorted(draft.system.find(f"{draft.hidden}/{name}"))
        if path.endswith(".parquet")
    ]


def _row_groups(system: Any, path: str) -> list[int]:
    with system.open(path, "rb") as file:
        footer = pq.read_metadata(file)
    return [footer.row_group(i).num_rows for i in range(footer.num_row_groups)]


@contextmanager
def _turn(draft: Draft) -> Iterator[None]:
    """Hold a lock that ends with the process. Only this machine's disks have one: a bucket's writers may collide."""
    with ExitStack() as stack:
        if isinstance(draft.system, fsspec.implementations.local.LocalFileSystem):
            Path(draft.parent).mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(Path(f"{draft.hidden}.lock")))
        yield


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file at `path` and remove it on release."""
    while True:
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not _is_at(file.fileno(), path):
                continue  # who held it before has removed it meanwhile: this is the lock of nothing
            try:
                yield
            finally:
                # While it is held, so that nobody's new file of that name is removed.
                path.unlink(missing_ok=True)
            return


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def full_disk(parent: str) -> Iterator[None]:
    """Name the disk that is full, of `parent` and that of temporary files.

    Raises:
        FranklinError: One is.

    """
    try:
        yield
    except (OSError, PySparkException, Py4JJavaError) as error:
        if NO_SPACE not in str(error) and getattr(error, "errno", None) != ENOSPC:
            raise
        places = [place for place in (parent, tempfile.gettempdir()) if Path(place).exists()]
        fullest = min(places, key=lambda place: shutil.disk_usage(place).free)
        free = shutil.disk_usage(fullest).free / 2**20
        raise FranklinError(
            f"the disk of {fullest} is full ({free:.0f} MiB are free); make room there, or set home to another disk"
        ) from None
