"""A study: ask for a configuration, train it somewhere, tell the result."""

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Literal

import numpy as np
import optuna
from optuna.samplers import BaseSampler, GridSampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from conf.errors import FranklinError
from conf.schema import Tuner
from models.search.space import Value, decode, distribution, points

Direction = Literal["minimize", "maximize"]
TPE_STARTUP_TRIALS = 10  # Optuna's default, more than a short study has in all


@dataclass(frozen=True)
class Trial:
    """One configuration of a study: its values by configuration key, and the objective once it was told."""

    number: int
    values: dict[str, Value]
    objective: float | None = None


class _AskedGrid(GridSampler):
    """Optuna's grid, for a study that is asked: it must not try to stop a loop that does not run."""

    def after_trial(self, *_: object) -> None:
        """Do nothing: `Study.ask` knows when the grid is exhausted."""


class Study:
    """A search in Optuna, kept in a journal file so that a retried flow goes on with the trials it has.

    Example:
        >>> study = open_study(tuner, "minimize", seed=1, folder=run_folder)
        >>> while (trial := study.ask()) is not None:
        ...     study.tell(trial.number, train(trial.values))

    """

    def __init__(self, tuner: Tuner, study: optuna.Study, seed: int) -> None:
        """Search `tuner.space` in an Optuna study that may hold trials already."""
        self._tuner = tuner
        self._study = study
        self._seed = seed
        self._distributions = {key: distribution(values) for key, values in tuner.space.items()}
        # Whoever asked for these is gone: their values are handed out again before new ones.
        self._unfinished = [trial for trial in study.trials if trial.state == TrialState.RUNNING]

    @property
    def size(self) -> int:
        """Trials of the whole study: `tuner.trials`, or the points of the grid when they are fewer."""
        if self._tuner.name != "grid":
            return self._tuner.trials
        return min(self._tuner.trials, prod(len(points(values)) for values in self._tuner.space.values()))

    @property
    def trials(self) -> list[Trial]:
        """Finished trials in order; failed ones without an objective."""
        return [self._trial(trial) for trial in self._study.trials if trial.state.is_finished()]

    def ask(self) -> Trial | None:
        """Hand out the next configuration, or None when the study has had all its trials."""
        while self._unfinished:
            trial = self._unfinished.pop(0)
            if trial.params.keys() == self._distributions.keys():
                return self._trial(trial)
            self._study.tell(trial.number, state=TrialState.FAIL)  # its process died while it was drawn
        number = len(self._study.trials)
        if number >= self.size:
            return None
        self._study.sampler = self._sampler(number)
        asked = self._study.ask(self._distributions)
        return Trial(asked.number, self._decode(asked.params))

    def tell(self, number: int, objective: float | None) -> None:
        """Record what a trial reached; None, infinite or not a number: it failed, and the search goes on."""
        if objective is None or not np.isfinite(objective):
            self._study.tell(number, state=TrialState.FAIL)
        else:
            self._study.tell(number, objective)

    def best(self) -> Trial:
        """Find the best trial so far.

        Raises:
            FranklinError: no trial has succeeded.

        """
        finished = [trial for trial in self.trials if trial.objective is not None]
        if not finished:
            raise FranklinError(
                f"tuner={self._tuner.name}: none of {len(self._study.trials)} trials succeeded; "
                "see their logs, or narrow tuner.space"
            )
        return self._trial(self._study.best_trial)

    def importances(self) -> dict[str, float]:
        """Share of each key in what separates the good trials from the rest; empty before two trials succeeded.

        PED-ANOVA (Watanabe, Bansal and Hutter, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in
        Arbitrary Subspaces", IJCAI 2023).
        """
        from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances  # imports scikit-learn

        if len(self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))) <= 1:
            return {}
        return get_param_importances(self._study, evaluator=PedAnovaImportanceEvaluator())

    def _sampler(self, number: int) -> BaseSampler:
        # Seeded anew for each trial, so that a reopened study goes on where it was instead of drawing the same again.
        seed = int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0])
        match self._tuner.name:
            case "grid":
                grid = {key: points(values) for key, values in self._tuner.space.items()}
                return _AskedGrid(grid, seed=self._seed)
            case "random":
                return RandomSampler(seed=seed)
            case "tpe":
                startup = min(TPE_STARTUP_TRIALS, max(2, self._tuner.trials // 3))
                return TPESampler(n_startup_trials=startup, multivariate=len(self._distributions) > 1, seed=seed)
            case "none":
                raise FranklinError("tuner=none searches nothing; choose tuner=grid, random or tpe")

    def _trial(self, trial: FrozenTrial) -> Trial:
        objective = trial.value if trial.state == TrialState.COMPLETE else None
        return Trial(trial.number, self._decode(trial.params), objective)

    def _decode(self, params: dict[str, float | str]) -> dict[str, Value]:
        return {key: decode(values, params[key]) for key, values in self._tuner.space.items() if key in params}


def open_study(tuner: Tuner, direction: Direction, seed: int, folder: Path) -> Study:
    """Open the study that `folder` keeps, or begin one there.

    Raises:
        FranklinError: there is nothing to search.

    """
    if not tuner.space:
        raise FranklinError(f"tuner={tuner.name} has nothing to search; name keys in tuner.space or set tuner=none")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    storage = JournalStorage(JournalFileBackend(str(folder / "study.journal")))
    study = optuna.create_study(study_name="study", storage=storage, direction=direction, load_if_exists=True)
    return Study(tuner, study, seed)
