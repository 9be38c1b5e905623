"""Who is fitted on what, with fits whose seconds are laws: a clock that runs as fast as it is read."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conf.contests import CANDIDATES, CandidateName, Contest
from conf.schema import Range
from conf.selecting import Fit, FitTask, Value
from models.candidates.apart import Outcome
from models.candidates.bench import Bench, Entry, Taken
from models.candidates.candidate import Candidate, Fitted, Space
from models.candidates.course import Course
from models.candidates.evidence import points
from models.candidates.finals import finish
from models.candidates.fits import fit_of, judged
from models.candidates.folds import draw_folds
from models.candidates.purses import better_half
from models.candidates.rows import Columns, Rows
from models.candidates.schedule import climb, judge_all
from models.candidates.standings import Scale, standing
from models.candidates.tuning import tune
from models.evaluation.metrics import RMSE
from tests.models.candidates.contests import CONTEST, made_rows

GENERATOR = np.random.default_rng(0)
LABEL = GENERATOR.normal(size=4000)
POOL = made_rows("regression", LABEL, np.zeros((4000, 1)))
NOISE = GENERATOR.normal(size=4000)


class _Lawful(Candidate):
    """Takes `factor * rows ** exponent` seconds, and errs by `error * rows ** -0.3`, less `gain` with some settings."""

    family = "tree"
    tasks = frozenset({"regression"})

    def __init__(self, name: CandidateName, factor: float, *, exponent: float = 1.0, error: float = 1.0) -> None:
        self.name, self.title = name, name
        self.factor, self.exponent, self.error, self.gain, self.searched = factor, exponent, error, 0.0, False
        self.fewest, self.most = {}, {}  # rows that it needs, and that it has memory for, by phase
        self.dearer = 0.0  # times as slow with settings that are better
        self.suddenly = 1.0  # times as slow in folds and in the end

    def space(self, columns: Columns) -> Space:  # noqa: ARG002 -- the same for all
        return {"setting": Range(low=0, high=1)} if self.searched else {}

    def fit(self, rows: Rows, *, seed: int, values: Mapping[str, Value], threads: int) -> Fitted:
        raise NotImplementedError

    def load(self, folder: Path, columns: Columns) -> Fitted:
        raise NotImplementedError


class _Clockwork:
    """Fits that take the seconds of their law, no longer than they may."""

    at_once, slowest_start, same_start = 1, 1.0, True

    def __init__(self, candidates: list[_Lawful], folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._candidates, self._folder = {each.name: each for each in candidates}, folder
        self.tasks: list[FitTask] = []

    def do(self, tasks: Sequence[FitTask], done: Callable[[Fit], None]) -> None:
        for task in tasks:
            done(self._fit(task))

    def _fit(self, task: FitTask) -> Fit:
        self.tasks.append(task)
        candidate, rows = self._candidates[task.candidate], len(np.load(task.learn))
        seconds = candidate.factor * rows**candidate.exponent
        seconds *= candidate.suddenly if task.phase in ("fold", "final") else 1
        held = POOL if task.held is None else POOL.take(np.load(task.held))
        noise = NOISE if task.held is None else NOISE[np.load(task.held)]
        found = float(task.values.get("setting", 0.5))
        seconds *= 1 + candidate.dearer * max(0.0, found - 0.5)
        error = candidate.error * rows**-0.3 * (1 - candidate.gain * (found - 0.5))
        scores = held.label + error * noise
        overdue = seconds > task.timeout_seconds
        if not overdue:
            np.save(task.scores, scores)
        failure = f"it took longer than {task.timeout_seconds} seconds and was ended" if overdue else None
        if rows > candidate.most.get(task.phase, rows):
            failure = "it needs more memory than the 1 MiB that a fit may take"
        if rows < candidate.fewest.get(task.phase, rows):
            failure = "ValueError: too few rows"
        seconds = min(seconds, task.timeout_seconds)
        outcome = Outcome(None if failure else judged(held, scores), seconds, seconds, 0, failure)
        return fit_of(task, outcome, self._folder)


class _Held:
    """A whole contest over such candidates."""

    def __init__(
        self,
        folder: Path,
        candidates: list[_Lawful],
        pool: Rows = POOL,
        *,
        at_once: int = 1,
        whole: bool = True,
        **changes: Any,
    ) -> None:
        contest = Contest.model_validate(CONTEST | {"fit_seconds": 10_000} | changes)
        self.course = Course(contest, pool, draw_folds(pool, contest.folds, 0).folds, 0, len(candidates))
        self.entries = [Entry(each) for each in sorted(candidates, key=lambda each: each.simplicity)]
        self.clock, self.notes = _Clockwork(candidates, folder), list[str]()
        self.clock.at_once = at_once
        self.bench = Bench(
            folder, {each.name: self.clock for each in candidates}, seed=0, metric=RMSE, memory_bytes=1, cores=1
        )

        self.by_name = {entry.name: entry for entry in self.entries}
        climb(self.bench, self.course, self.entries, self.notes)
        if not whole:
            return
        tune(self.bench, self.course, self.entries, self.notes)
        judge_all(self.bench, self.course, self.entries, self.notes)
        finish(self.bench, self.course, self.entries, self.notes, lambda entry: folder / "models" / entry.name)


def test_with_time_for_all_everybody_is_fitted_on_everything(tmp_path: Path) -> None:
    held = _Held(tmp_path, [_Lawful(name, 1e-5) for name in CANDIDATES[:5]], trials=3)
    for entry in held.entries:
        assert list(entry.curve) == [267, 800]
        assert [fit.rows for fit in entry.folds] == [2666, 2667, 2667]
        assert entry.final.rows == 4000
    assert held.notes == []


def test_the_expensive_are_fitted_on_fewer_rows_and_the_cheap_lose_nothing(tmp_path: Path) -> None:
    cheap = [_Lawful(name, 1e-4) for name in CANDIDATES[:4]]
    held = _Held(tmp_path, [*cheap, _Lawful("xgboost", 0.02), _Lawful("mlp", 0.03)], budget_seconds=200)
    assert all(held.by_name[each.name].final.rows == 4000 for each in cheap)
    assert 500 <= held.by_name["mlp"].final.rows < held.by_name["xgboost"].final.rows < 4000
    assert held.bench.spent <= 200
    shown = standing(held.by_name["mlp"], held.bench, Scale(RMSE), 4000)
    assert shown.whole_processor_seconds == pytest.approx(0.03 * 4000, rel=0.01)
    assert standing(held.by_name[cheap[0].name], held.bench, Scale(RMSE), 4000).whole_processor_seconds is None
    for name in ("xgboost", "mlp"):
        assert len(held.by_name[name].folds) == 3
        assert any(note.startswith(f"{name}: time was for") and "rows" in note for note in held.notes)


@given(
    laws=st.lists(st.tuples(st.floats(-6, -1), st.floats(0.2, 1.8)), min_size=1, max_size=8),
    budget=st.integers(100, 500),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_budget_is_nearly_kept_and_nobody_is_dropped_without_a_note(
    laws: list[tuple[float, float]], budget: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    candidates = [
        _Lawful(name, 10.0**power / 1000 ** (exponent - 1), exponent=exponent)
        for name, (power, exponent) in zip(CANDIDATES, laws, strict=False)
    ]
    held = _Held(tmp_path_factory.mktemp("held"), candidates, budget_seconds=budget)
    for entry in held.entries:
        assert entry.failure is None or any(note.startswith(f"{entry.name} fell out") for note in held.notes)
        if entry.failure is None:
            assert entry.final is not None
    assert held.bench.spent <= 2 * budget + 4 * 10 * len(candidates)  # four fits, of which each may take ten seconds


def test_who_has_no_time_for_rows_enough_to_be_judged_by_falls_out(tmp_path: Path) -> None:
    held = _Held(tmp_path, [_Lawful("ridge", 1e-4), _Lawful("mlp", 0.5)], budget_seconds=200)
    assert "seconds on 18.8% of the rows already" in held.by_name["mlp"].failure
    assert held.by_name["ridge"].final.rows == 4000


def test_of_the_expensive_the_better_ones_have_more_rows_and_nobody_is_starved(tmp_path: Path) -> None:
    names: tuple[CandidateName, ...] = ("decision_tree", "random_forest", "gradient_boosting", "xgboost", "lightgbm")
    laws = [_Lawful(name, 0.004, error=error) for name, error in zip(names, (5, 4, 3, 2, 1), strict=True)]
    held = _Held(tmp_path, laws, budget_seconds=200)
    assert [len(held.by_name[name].folds) for name in names] == [3] * 5
    shares = [held.by_name[name].share for name in names]
    assert shares == sorted(shares)
    assert shares[-1] > 1.5 * shares[0]
    assert min(shares) >= 500 / 2666
    assert held.bench.spent <= 200


def test_the_best_ones_are_judged_on_the_same_rows_though_one_is_slower(tmp_path: Path) -> None:
    names: tuple[CandidateName, ...] = ("mean", "decision_tree", "random_forest", "xgboost", "lightgbm")
    laws = [_Lawful(name, 0.002, error=error) for name, error in zip(names, (5, 4, 3, 1.5, 1), strict=True)]
    laws[-1].factor = 0.008
    held = _Held(tmp_path, laws, budget_seconds=200)
    quick, slow = held.by_name["xgboost"], held.by_name["lightgbm"]
    assert slow.share < 1
    assert 2 / 3 < quick.share / slow.share < 3 / 2
    laws[-1].factor = 0.04  # so slow that the other one would have to wait for it
    held = _Held(tmp_path / "slow", laws, budget_seconds=400)
    assert held.by_name["xgboost"].share > 2 * held.by_name["lightgbm"].share


def test_who_had_no_time_is_judged_if_others_leave_some(tmp_path: Path) -> None:
    early, late = _Lawful("decision_tree", 0.04, error=2), [_Lawful("xgboost", 0.01), _Lawful("lightgbm", 0.01)]
    for each in late:
        each.most = {"fold": 100}
    held = _Held(tmp_path, [early, *late], budget_seconds=240)
    assert all("needs more memory" in held.by_name[each.name].failure for each in late)
    fits = [fit for fit in held.bench.fits if fit.phase == "fold"]
    assert [fit.candidate for fit in fits[-3:]] == ["decision_tree"] * 3
    assert held.by_name["decision_tree"].final is not None


def test_settings_that_are_slow_do_not_cost_others_their_time(tmp_path: Path) -> None:
    """What is foretold is that of the settings taken, and folds that are slower still are given up in time."""
    late = _Lawful("xgboost", 0.004)
    late.suddenly = 2.9
    others = [_Lawful(name, 1e-4) for name in CANDIDATES[:3]] + [_Lawful("mlp", 0.01)]
    held = _Held(tmp_path, [*others, late], budget_seconds=200)
    assert any(note.startswith("xgboost: with") and "its share" in note for note in held.notes)
    assert held.by_name["xgboost"].share < 0.6
    assert held.by_name["mlp"].share > 0.3
    assert held.bench.spent < 1.5 * 200


def test_of_what_is_left_the_best_are_fitted_on_more_rows_in_the_end(tmp_path: Path) -> None:
    best, other = _Lawful("lightgbm", 0.02, error=0.5), _Lawful("xgboost", 0.02)
    held = _Held(tmp_path, [_Lawful("ridge", 1e-4), other, best], budget_seconds=200)
    first, second = held.by_name["lightgbm"], held.by_name["xgboost"]
    assert first.share < 1
    assert first.final.rows > 1.5 * first.share * 4000
    assert second.final.rows == round(second.share * 4000)
    assert held.bench.spent <= 200


def test_where_starts_are_not_the_same_for_all_a_slow_one_makes_no_steep_law_and_rows_count_still(
    tmp_path: Path,
) -> None:
    """In Spark, a fit of a few rows takes seconds, and which depends on the candidate."""
    held = _Held(tmp_path, [_Lawful("mean", 1e-5), _Lawful("lasso", 1e-5)], whole=False)
    held.clock.slowest_start, held.clock.same_start = 30.0, False
    quick, slow = (held.by_name[name] for name in ("mean", "lasso"))
    quick.seen, slow.seen = [Taken(100, 1.0, "own")], [Taken(100, 8.0, "own")]
    assert 8 < held.bench.seconds(slow, 400) < 12
    assert 1 < held.bench.seconds(quick, 400) < 1.5
    slow.seen = [Taken(rows, seconds, "own") for rows, seconds in ((1200, 8.0), (3700, 7.0), (11_100, 6.5))]
    assert 7 < held.bench.seconds(slow, 100_000) < 15


def test_fits_that_run_side_by_side_share_the_clock(tmp_path: Path) -> None:
    candidates = [_Lawful(name, 1e-3) for name in CANDIDATES[:4]]
    one = _Held(tmp_path / "one", candidates, budget_seconds=500)
    two = _Held(tmp_path / "two", candidates, budget_seconds=500, at_once=2)
    assert 0.5 <= two.bench.spent / one.bench.spent < 0.65
    assert [fit.rows for fit in two.entries[0].folds] == [fit.rows for fit in one.entries[0].folds]


def test_a_fit_that_hangs_costs_others_little(tmp_path: Path) -> None:
    cheap = [_Lawful(name, 1e-4) for name in CANDIDATES[:4]]
    held = _Held(tmp_path, [*cheap, _Lawful("mlp", 1e6)], budget_seconds=200)
    assert "took longer" in held.by_name["mlp"].failure
    assert all(held.by_name[each.name].final.rows == 4000 for each in cheap)
    others = sum(held.by_name[each.name].spent for each in cheap)
    assert held.bench.spent - others < 200 / 5 + 1


def test_settings_that_are_better_are_found_and_taken_by_the_better_half_alone(tmp_path: Path) -> None:
    candidates = [_Lawful(name, 1e-5, error=place + 1) for place, name in enumerate(CANDIDATES[:6])]
    for each in candidates:
        each.searched = True
    candidates[0].gain = 0.5
    held = _Held(tmp_path, candidates, trials=8)
    tried = {each.name: 0 for each in candidates}
    for task in held.clock.tasks:
        tried[task.candidate] += task.phase == "trial" and len(np.load(task.learn)) == 600 and task.values != {}
        if task.phase == "trial":  # nothing that the last fold judges by has a say
            rows = np.concatenate([np.load(task.learn), np.load(task.held)])
            assert not np.isin(rows, held.course.folds[-1].held).any()
    assert list(tried.values())[3:] == [0, 0, 0]
    assert tried[candidates[0].name] == 8
    assert 4 <= tried[candidates[2].name] < 8
    better, *others = held.entries
    assert better.values["setting"] > 0.6
    assert all(entry.values == {} for entry in others)
    assert any(note.startswith(f"{better.name}: settings found are better") for note in held.notes)
    assert all(fit.values == better.values for fit in [*better.folds, better.final])
    assert points(held.bench, better)[0] == [267, 800]  # a curve is of its own settings alone
    assert all(points(held.bench, entry)[0] == [267, 800, 2667] for entry in others)


def test_settings_that_cost_too_many_rows_are_not_kept(tmp_path: Path) -> None:
    candidate = _Lawful("ridge", 0.001)
    candidate.searched, candidate.gain, candidate.dearer = True, 0.5, 30.0
    held = _Held(tmp_path, [candidate, _Lawful("mlp", 0.01)], trials=8, budget_seconds=120)
    assert any(note.startswith("ridge: settings found are better") for note in held.notes)
    assert any(note.startswith("ridge: with the settings found time is for") for note in held.notes)
    assert all(fit.values == {} for fit in [*held.by_name["ridge"].folds, held.by_name["ridge"].final])


@pytest.mark.parametrize(("days", "said"), [(400, False), (16, True)])
def test_settings_that_few_days_confirm_are_said_to_be(days: int, said: bool, tmp_path: Path) -> None:
    candidate = _Lawful("ridge", 1e-5)
    candidate.searched, candidate.gain = True, 0.5
    pool = made_rows("regression", LABEL, np.zeros((4000, 1)), where=np.arange(4000) * days // 4000)
    (note,) = _Held(tmp_path, [candidate], pool, trials=8).notes
    assert note.startswith("ridge: settings found are better than its own: setting=0.")
    assert note.endswith("nothing of other days") is said
    assert ("what confirmed them are resamples of single rows, since there is one day" in note) is said


def test_who_lacks_memory_goes_on_with_fewer_rows(tmp_path: Path) -> None:
    folds, final = _Lawful("ridge", 1e-5), _Lawful("lightgbm", 1e-5)
    folds.most, final.most = {"fold": 1000, "final": 1000}, {"final": 1500}
    held = _Held(tmp_path, [folds, final])
    assert [fit.rows for fit in held.by_name["ridge"].folds] == [889, 889, 889]
    assert held.by_name["ridge"].final.rows <= 1000
    assert [fit.rows for fit in held.by_name["lightgbm"].folds] == [2666, 2667, 2667]
    assert held.by_name["lightgbm"].final.rows == 1333
    assert any("lightgbm: with 4000 rows it needs more memory" in note for note in held.notes)


def test_folds_that_are_there_are_not_given_away_for_more_rows_that_fail(tmp_path: Path) -> None:
    greedy = _Lawful("xgboost", 1e-5)
    greedy.fewest, greedy.most = (
        {"size": 10_000},
        {"fold": 900, "final": 1500},
    )  # it begins on few rows, and has time for all
    held = _Held(tmp_path, [_Lawful("ridge", 1e-5), greedy])
    entry = held.by_name["xgboost"]
    assert {fit.rows for fit in held.bench.fits if fit.phase == "fold" and fit.failure} == {2666}
    assert [fit.rows for fit in entry.folds] == [800, 800, 800]
    assert entry.failure is None
    assert entry.final.rows == 1200
    assert any("it stays with fewer" in note for note in held.notes)


def test_of_whom_nothing_is_known_little_is_risked(tmp_path: Path) -> None:
    strange = _Lawful("mlp", 1e-2, exponent=1.5)  # nobody has seen how slow it is
    strange.fewest = {"size": 10_000}
    held = _Held(tmp_path, [_Lawful("ridge", 1e-5), strange], budget_seconds=200)
    fits = [fit for fit in held.bench.fits if fit.candidate == "mlp" and fit.phase == "fold"]
    assert fits[0].rows == 800
    assert max(fit.seconds for fit in fits) <= 200 / 2 / 2
    assert held.bench.spent < 2 * 200
    picky = _Lawful("mlp", 1e-5)
    picky.fewest = {"size": 10_000, "fold": 2000}
    assert _Held(tmp_path / "picky", [picky]).by_name["mlp"].final.rows == 4000


def test_one_that_is_slow_does_not_have_the_others_compared_on_few_rows(tmp_path: Path) -> None:
    others = [_Lawful(name, 1e-5, error=place + 1) for place, name in enumerate(CANDIDATES[:3])]
    slow = _Lawful("mlp", 0.045, error=0.5)
    held = _Held(tmp_path, [*others, slow], budget_seconds=100, whole=False)
    entries = held.entries
    assert list(held.by_name["mlp"].curve) == [267]
    assert [entry.name for entry in better_half(held.bench, entries)] == ["mlp", CANDIDATES[0]]
    first, second, *_ = entries
    for entry, other in ((first, second), (second, first)):
        entry.curve[267] = other.curve[800]  # what few rows say is not asked
    assert better_half(held.bench, entries[:3])[0] is first
