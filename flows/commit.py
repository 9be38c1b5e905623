"""Which code ran."""

import shutil
from pathlib import Path


def commit(folder: Path) -> str:
    """The commit of the checkout around `folder`, with `-dirty` if files differ; empty without a checkout or git."""
    if shutil.which("git") is None:
        return ""
    from git import InvalidGitRepositoryError, NoSuchPathError, Repo  # can't be imported where there is no git

    try:
        repository = Repo(folder, search_parent_directories=True)
    except (InvalidGitRepositoryError, NoSuchPathError):
        return ""
    if not repository.head.is_valid():
        return ""
    return repository.head.commit.hexsha + ("-dirty" if repository.is_dirty() else "")
