"""`franklin choose LETTER`: end a blind contest."""

import os
from datetime import UTC, datetime
from pathlib import Path

from conf.errors import FranklinError
from conf.exchange import Track
from conf.selecting import FINDINGS, Choice, Findings
from flows.owners import owner
from flows.reach import check_reachable
from flows.selection import OR_ANOTHER, keep, kept, newest_blind, read, taken
from flows.server import variables


def choose(letter: str, run: str | None, home: Path) -> tuple[Findings, Path]:
    """Record the choice and when it was made, and put names in place of letters, in the report and in MLflow.

    Once it is recorded it stands. To choose the same once more tells it again, as where MLflow was not there.

    Args:
        letter: of the report.
        run: the contest's MLflow run, or its run folder; None: the newest one in `home` that waits for a choice.
        home: franklin's.

    Returns:
        The findings, and the contest's folder.

    Raises:
        FranklinError: no contest waits for a choice, this one has one, there is no such letter, or another version of
            franklin has held it.

    """
    os.environ.update(variables(home))
    folder = folder_of(run, home)
    findings = read(Findings, folder / FINDINGS, f"hold the contest again with `franklin select`, {OR_ANOTHER}")
    check(findings, letter, folder)
    found = owner(folder.parent)
    if found is None:
        raise FranklinError(f"{folder.parent} is no run folder: it has no owner.json; name that of a contest")
    check_reachable(found.track.uri)
    own = folder.resolve().parents[2]  # the home that the contest was held in
    selection = kept(own, findings.experiment)
    chosen = next(name for name, label in findings.labels.items() if label == letter.upper())
    standing = next(each for each in findings.standings if each.candidate == chosen)
    if findings.choice is None:
        at = datetime.now(UTC).isoformat("T", "seconds")
        choice = Choice(candidate=standing.candidate, label=letter.upper(), at=at)
        findings = findings.model_copy(update={"choice": choice})
        _rewrite(folder / FINDINGS, findings.model_dump_json(indent=2))
    if selection is not None and selection.folder.resolve() == folder.resolve():  # else a newer one has taken its place
        chosen_one = taken(findings, standing.candidate, selection.learning)
        keep(own, findings.experiment, selection.model_copy(update=chosen_one))
    _tell(findings, folder, found.track)
    return findings, folder


def _tell(findings: Findings, folder: Path, track: Track) -> None:
    """Show the names in the report and in MLflow."""
    from mlflow import MlflowClient  # takes a second to import, after what is set for it

    from flows.standings import record
    from models.candidates.report import write

    write(folder / FINDINGS)
    record(MlflowClient(track.uri), track.run_id, findings, folder)


def _rewrite(file: Path, content: str) -> None:
    temporary = file.with_suffix(".partial")
    temporary.write_text(content, encoding="utf-8")
    temporary.replace(file)


def check(findings: Findings, letter: str, folder: Path) -> None:
    """See that this can be chosen.

    Raises:
        FranklinError: it cannot.

    """
    if not findings.labels:
        raise FranklinError(f"the contest in {folder} is not blind: it recommends {findings.recommendation.candidate}")
    if (before := findings.choice) is not None and before.label != letter.upper():
        raise FranklinError(
            f"the choice of this contest was made at {before.at}: {before.label}, which is {before.candidate}"
        )
    letters = sorted(findings.labels.values())
    if letter.upper() not in letters:
        raise FranklinError(f"there is no candidate '{letter}'; the report has {', '.join(letters)}")


def folder_of(run: str | None, home: Path) -> Path:
    """The folder of a contest.

    Raises:
        FranklinError: there is none.

    """
    if run is None:
        return newest_blind(home)
    named = [Path(run), Path(run) / "contest", home / "runs" / run / "contest"]
    for each in (home / "runs").glob("*"):
        before = owner(each)
        if before is not None and before.track.run_id == run:
            named.append(each / "contest")
    for folder in named:
        if (folder / FINDINGS).exists():
            return folder.absolute()
    raise FranklinError(f"--run {run}: no contest has finished there; say its MLflow run id or its run folder")
