"""Engine `python -m models.candidates.train REQUEST.json`: fit one candidate on all train rows, and save it."""

import shutil

from conf.checkpoints import PARTIAL
from conf.errors import FranklinError, closest
from conf.exchange import FitRequest, FitResult, clean_up_on_sigterm, progress, serve
from conf.manifest import read_manifest
from conf.selecting import Entrant
from models.candidates import named
from models.candidates.candidate import Candidate, Values
from models.candidates.ensemble import Ensemble, Part
from models.candidates.networks import NetworkCandidate
from models.candidates.reading import read_rows
from models.candidates.rows import Columns

FEW_ROWS = 5_000  # below, threads take longer to meet than to work


def train(request: FitRequest) -> FitResult:
    """Fit and save; the folder is there whole or not at all.

    Raises:
        FranklinError: no candidate is named, it does not suit the data, or has no such setting.

    """
    model = request.model
    if model.candidate is None:
        raise FranklinError("model.candidate is null: say which candidate, or run `franklin select` first")
    manifest = read_manifest(request.feature_set)
    progress(0, 1, "fits", model.candidate)
    chosen = _chosen(request)
    rows = read_rows(request.feature_set, manifest, ("train",))
    _check(chosen, rows.columns, model.values)
    rows = rows.draw(model.rows, request.seed)
    threads = request.cores if len(rows) >= FEW_ROWS else 1
    fitted = chosen.fit(rows, seed=request.seed, values=model.values, threads=threads)
    folder = request.run_folder / "fitted"
    partial = folder.with_name(folder.name + PARTIAL)
    for old in (folder, partial):
        shutil.rmtree(old, ignore_errors=True)
    partial.mkdir(parents=True)
    fitted.save(partial)
    progress(1, 1, "fits", model.candidate)
    return FitResult(weights=partial.rename(folder), rows=len(rows))


def _chosen(request: FitRequest) -> Candidate:
    """The candidate, or the ensemble of its members."""
    model = request.model
    if not model.members:
        return named(str(model.candidate))
    networks = [NetworkCandidate(Entrant(name=name, train=train)) for name, train in request.networks.items()]
    return Ensemble(
        [Part(named(each.candidate, networks), each.weight, each.values, each.rows) for each in model.members]
    )


def _check(chosen: Candidate, columns: Columns, values: Values) -> None:
    if not chosen.suits(columns):
        raise FranklinError(f"model.candidate={chosen.name} is not for task={columns.task} and these columns")
    space = chosen.space(columns)
    for key in values:
        if key not in space:
            guess = closest(key, space)
            hint = f"did you mean '{guess}'? " if guess else ""
            known = ", ".join(space) or "none"
            raise FranklinError(f"model.values: {chosen.name} has no setting '{key}': {hint}known: {known}")


if __name__ == "__main__":
    clean_up_on_sigterm()
    serve(FitRequest, train)
