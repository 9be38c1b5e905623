"""What the newest contest of an experiment has recommended, kept in franklin's home for `model=selected`."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field

from conf.compose import compose
from conf.contests import CandidateName, Values
from conf.errors import FranklinError
from conf.networks import NETWORKS, Learning, Member, Selected
from conf.schema import Settings
from conf.selecting import Findings, Standing
from conf.strict import Strict

R = TypeVar("R", bound=Strict)
OR_ANOTHER = "or say --run FOLDER of another one"
TAKEN = "selection.json"  # in a run's folder: what it has taken
# Keys by which a network learns as in the contest.
LEARNING = ("model", "optimizer", "trainer", "feed", "checkpointing")
OF_LEARNING = tuple(f"{key}{sign}" for key in LEARNING[1:] for sign in ".=")  # how such an override begins


class Selection(Strict):
    """The candidate of a finished contest; null where it was blind and nobody has chosen yet."""

    candidate: CandidateName | None
    values: Values
    rows: int | None = Field(
        default=None, description="train rows that are as large a share as it was fitted on; null: all"
    )
    overrides: list[str]
    sized: dict[CandidateName, list[str]] = Field(
        default={}, description="how the contest sized each network's training"
    )
    members: list[Member] = Field(default=[], description="of an ensemble")
    learning: dict[CandidateName, Learning] = Field(default={}, description="how networks learned in the contest")
    folder: Path
    run_id: str


def keep(home: Path, experiment: str, selection: Selection) -> None:
    """Write it down, in place of that of the contest before."""
    _write(_file(home, experiment), selection)


def kept(home: Path, experiment: str) -> Selection | None:
    """That of the newest finished contest of an experiment, if there is one.

    Raises:
        FranklinError: another version of franklin has written it.

    """
    file = _file(home, experiment)
    return read(Selection, file, _again(file)) if file.exists() else None


def read(kind: type[R], file: Path, way_out: str) -> R:
    """Read what franklin has written, and tell the way out if it can't be read.

    Raises:
        FranklinError: it is of another version of franklin, or damaged.

    """
    try:
        return kind.model_validate_json(file.read_text(encoding="utf-8"))
    except ValueError:
        raise FranklinError(f"{file} is of another version of franklin, or damaged: {way_out}") from None


def fitted_rows(standing: Standing, findings: Findings) -> int | None:
    """As many train rows as are the share of train and validation that a candidate was fitted on; None: all."""
    train = findings.rows["train"]
    pool = train + findings.rows["validation"]
    return None if standing.rows >= pool else max(1, round(train * standing.rows / pool))


def taken(findings: Findings, name: CandidateName, learning: Mapping[CandidateName, Learning]) -> dict[str, Any]:
    """What of a finished contest `model=selected` needs to know of a candidate, as a `Selection` has it."""
    standings = {each.candidate: each for each in findings.standings}
    own = standings[name]
    members = [
        Member(
            candidate=each,
            weight=weight,
            values=standings[each].values,
            rows=fitted_rows(standings[each], findings),
            learning=learning.get(each),
        )
        for each, weight in own.members.items()
    ]
    rows = None if members else fitted_rows(own, findings)
    return {"candidate": name, "values": own.values, "rows": rows, "members": members}


def newest_blind(home: Path) -> Path:
    """The folder of the newest contest in which nobody has chosen yet.

    One that can't be read, but seems to wait, is not passed over: its letters would choose in another contest for good.

    Raises:
        FranklinError: there is none, or another version of franklin has written of it.

    """
    files = sorted((home / "contests").glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files:
        if not _chosen(file):
            return read(Selection, file, f"{_again(file)}, {OR_ANOTHER}").folder
    raise FranklinError(f"no contest in {home} waits for a choice; run `franklin select EXPERIMENT blind=true`")


def learns(settings: Settings) -> Learning:
    """How the network of these settings learns."""
    return Learning.model_validate({key: getattr(settings, key) for key in LEARNING})


def learning(overrides: Sequence[str]) -> list[str]:
    """Those overrides of a contest by which its networks have learned."""
    return [each for each in overrides if each.partition("=")[0].partition(".")[0] in LEARNING]


def idle(settings: Settings, overrides: Sequence[str]) -> list[str]:
    """A line for a person who says how a network is to learn, where what was selected does not listen."""
    said = [each for each in overrides if each.startswith(OF_LEARNING) and not each.startswith("feed.memory=")]
    if not isinstance(settings.model, Selected) or not said:
        return []
    learned = any(each.learning for each in settings.model.members)
    why = "whose networks learn as in the contest" if learned else "which has no network"
    return [f"  without effect on {settings.model.candidate}, {why}: {', '.join(said)}"]


def settled(experiment: str, overrides: Sequence[str] = (), run: str | None = None) -> Settings:
    """Compose the settings of a run, where `model=selected` becomes what was selected.

    A network is composed as any other, with what the contest has found for it; what is said in `overrides` is stronger.
    What a run has taken stays with it: when it is tried again, or when another one resumes it, it is what it was,
    whatever contests were held meanwhile.

    Args:
        experiment: a name under conf/experiment, or the path of a YAML file.
        overrides: `group=choice` and `key=value`.
        run: name of the run's folder, in which is kept what it takes; None: there is none yet.

    Raises:
        FranklinError: as `compose`, or there is nothing selected yet.

    """
    settings = compose(experiment, overrides)
    if not isinstance(settings.model, Selected) or settings.model.candidate is not None:
        return settings
    own = settings.home / "runs" / run / TAKEN if run else None
    earlier = settings.resume / TAKEN if settings.resume else None
    before = next((file for file in (own, earlier) if file and file.exists()), None)
    selection = read(Selection, before, "begin a new run") if before else _newest(settings, experiment)
    if own and own != before:
        _write(own, selection)
    return _with(selection, settings, experiment, overrides)


def _newest(settings: Settings, experiment: str) -> Selection:
    """What the newest contest has selected.

    Raises:
        FranklinError: there is nothing.

    """
    selection = kept(settings.home, settings.experiment)
    if selection is None:
        raise FranklinError(
            f"model=selected: no contest of {settings.experiment} has finished in {settings.home}; "
            f"run `franklin select {experiment}`"
        )
    if selection.candidate is None:
        raise FranklinError(
            f"model=selected: the contest of {settings.experiment} is blind, and nobody has chosen; read "
            f"{selection.folder / 'report.html'} and run `franklin choose LETTER`"
        )
    return selection


def _with(selection: Selection, settings: Settings, experiment: str, overrides: Sequence[str]) -> Settings:
    """Put what was selected in the place of `model=selected`."""
    if not isinstance(settings.model, Selected) or selection.candidate is None:
        raise TypeError("nothing was selected")
    if selection.candidate not in NETWORKS:
        values = {**selection.values, **settings.model.values}
        rows = settings.model.rows or selection.rows
        chosen = {"candidate": selection.candidate, "values": values, "rows": rows, "members": selection.members}
        return settings.model_copy(update={"model": Selected(name="selected", **chosen)})
    said = [each for each in overrides if each != "model=selected"]
    found = [f"{key}={json.dumps(value)}" for key, value in selection.values.items()]
    sized = selection.sized.get(selection.candidate, [])
    return compose(experiment, [f"model={selection.candidate}", *sized, *selection.overrides, *found, *said])


def _chosen(file: Path) -> bool:
    """Whether a file names a candidate, whichever version of franklin has written it."""
    try:
        tree = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return isinstance(tree, dict) and bool(tree.get("candidate"))


def _again(file: Path) -> str:
    return f"hold the contest of {file.stem} again with `franklin select`"


def _write(file: Path, selection: Selection) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(f".{selection.run_id}")
    temporary.write_text(selection.model_dump_json(indent=2), encoding="utf-8")
    temporary.replace(file)


def _file(home: Path, experiment: str) -> Path:
    return home / "contests" / f"{experiment}.json"
