"""Which code ran."""

from pathlib import Path

from git import InvalidGitRepositoryError, NoSuchPathError, Repo


def commit(folder: Path) -> str:
    """The commit of the checkout around `folder`, with `-dirty` if files differ; empty outside a checkout."""
    try:
        repository = Repo(folder, search_parent_directories=True)
    except (InvalidGitRepositoryError, NoSuchPathError):
        return ""
    if not repository.head.is_valid():
        return ""
    return repository.head.commit.hexsha + ("-dirty" if repository.is_dirty() else "")
