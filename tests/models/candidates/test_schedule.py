"""Who is fitted on what and when, with fits whose seconds are laws."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conf.contests import CANDIDATES
from models.candidates.bench import Entry
from models.candidates.evidence import points
from models.candidates.purses import final_clock, needed_for, purse_of, share_for, weigh_purses
from models.candidates.schedule import climb, judge_all
from tests.models.candidates.clockwork import LABEL, Held, Lawful
from tests.models.candidates.contests import made_rows


def test_with_time_for_all_everybody_is_fitted_on_everything(tmp_path: Path) -> None:
    held = Held(tmp_path, [Lawful(name, 1e-5) for name in CANDIDATES[:5]], trials=3)
    for entry in held.entries:
        assert list(entry.curve) == [267, 800]
        assert [fit.rows for fit in entry.folds] == [2666, 2667, 2667]
        assert entry.final.rows == 4000
    assert held.notes == []


@given(
    laws=st.lists(st.tuples(st.floats(-6, -1), st.floats(0.2, 1.8)), min_size=1, max_size=8),
    budget=st.integers(100, 500),
)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_budget_is_nearly_kept_and_nobody_is_dropped_without_a_note(
    laws: list[tuple[float, float]], budget: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    candidates = [
        Lawful(name, 10.0**power / 1000 ** (exponent - 1), exponent=exponent)
        for name, (power, exponent) in zip(CANDIDATES, laws, strict=False)
    ]
    held = Held(tmp_path_factory.mktemp("held"), candidates, budget_seconds=budget)
    for entry in held.entries:
        assert entry.failure is None or any(note.startswith(f"{entry.name} fell out") for note in held.notes)
        if entry.failure is None:
            assert entry.final is not None
    assert held.bench.spent <= 2 * budget + 4 * 10 * len(candidates)  # four fits, of which each may take ten seconds


def test_settings_that_are_slow_do_not_cost_others_their_time(tmp_path: Path) -> None:
    """What is foretold is that of the settings taken, and folds that are slower still are given up in time."""
    late = Lawful("xgboost", 0.004)
    late.suddenly = 2.9
    others = [Lawful(name, 1e-4) for name in CANDIDATES[:3]] + [Lawful("mlp", 0.01)]
    held = Held(tmp_path, [*others, late], budget_seconds=200)
    assert any(note.startswith("xgboost: with") and "its share" in note for note in held.notes)
    assert held.by_name["xgboost"].share < 0.6
    assert held.by_name["mlp"].share > 0.3
    assert held.bench.spent < 1.5 * 200


def test_of_what_is_left_the_best_are_fitted_on_more_rows_in_the_end(tmp_path: Path) -> None:
    best, other = Lawful("lightgbm", 0.02, error=0.5), Lawful("xgboost", 0.02)
    held = Held(tmp_path, [Lawful("ridge", 1e-4), other, best], budget_seconds=200)
    first, second = held.by_name["lightgbm"], held.by_name["xgboost"]
    assert first.share < 1
    assert first.final.rows > 1.5 * first.share * 4000
    assert second.final.rows == round(second.share * 4000)
    assert held.bench.spent <= 200


def test_fits_that_run_side_by_side_share_the_clock(tmp_path: Path) -> None:
    candidates = [Lawful(name, 1e-3) for name in CANDIDATES[:4]]
    one = Held(tmp_path / "one", candidates, budget_seconds=500)
    two = Held(tmp_path / "two", candidates, budget_seconds=500, at_once=2)
    assert 0.5 <= two.bench.spent / one.bench.spent < 0.65
    assert [fit.rows for fit in two.entries[0].folds] == [fit.rows for fit in one.entries[0].folds]


def test_what_is_asked_for_twice_is_counted_once(tmp_path: Path) -> None:
    held = Held(tmp_path, [Lawful("ridge", 1e-3)], budget_seconds=500)
    assert held.bench.spent == pytest.approx(sum(fit.seconds for fit in held.bench.fits))
    spent, seen = held.bench.spent, len(held.entries[0].seen)
    climb(held.bench, held.course, [again := Entry(held.entries[0].candidate)], held.notes)
    assert again.curve == held.entries[0].curve
    assert (held.bench.spent, len(held.entries[0].seen)) == (spent, seen)


@pytest.mark.parametrize("at_once", [1, 2, 3, 4])
def test_folds_are_foretold_to_take_what_they_take_however_many_run_side_by_side(at_once: int, tmp_path: Path) -> None:
    slow = Lawful("mlp", 0.02)
    held = Held(tmp_path, [Lawful("ridge", 1e-5), slow], folds=5, at_once=at_once, budget_seconds=150, whole=False)
    entry = held.by_name["mlp"]
    weights = weigh_purses(held.bench, held.entries)
    purse = purse_of(held.bench, held.course, held.entries[:1], [entry], weights)
    share, before = share_for(held.bench, held.course, entry, purse.share), entry.spent
    foretold = needed_for(held.bench, held.course, entry, share) - final_clock(held.bench, held.course, entry) * share
    judge_all(held.bench, held.course, held.entries, held.notes)
    assert 0 < share < 1
    assert entry.share == pytest.approx(share, rel=0.05)
    assert entry.spent - before == pytest.approx(foretold, rel=0.05)


@pytest.mark.parametrize("at_once", [2, 4])
def test_folds_that_are_all_done_are_kept_however_long_they_took(at_once: int, tmp_path: Path) -> None:
    late = Lawful("xgboost", 0.02)
    late.suddenly = 2.9
    held = Held(tmp_path, [Lawful("ridge", 1e-4), late], budget_seconds=200, folds=2, at_once=at_once)
    assert len(held.by_name["xgboost"].folds) == 2
    assert held.by_name["xgboost"].final is not None


def test_the_clock_of_a_step_goes_on_until_its_last_fit_ends(tmp_path: Path) -> None:
    slow = Lawful("mlp", 1e-2)
    held = Held(tmp_path, [Lawful("ridge", 1e-5), slow], budget_seconds=500, at_once=2, whole=False)
    assert held.bench.spent == pytest.approx(sum(fit.seconds for fit in held.bench.fits if fit.candidate == "mlp"))


def test_a_final_fit_on_more_rows_has_no_longer_than_is_left_however_many_run_beside_it(tmp_path: Path) -> None:
    others = [Lawful(name, 0.03, error=2) for name in CANDIDATES[3:7]]
    held = Held(tmp_path, [*others, Lawful("lightgbm", 0.03)], budget_seconds=200, at_once=2)
    assert held.by_name["lightgbm"].final.rows > 1.5 * held.by_name["lightgbm"].share * 4000
    assert held.bench.spent <= 200


def test_a_fit_that_hangs_costs_others_little(tmp_path: Path) -> None:
    cheap = [Lawful(name, 1e-4) for name in CANDIDATES[:4]]
    held = Held(tmp_path, [*cheap, Lawful("mlp", 1e6)], budget_seconds=200)
    assert "took longer" in held.by_name["mlp"].failure
    assert all(held.by_name[each.name].final.rows == 4000 for each in cheap)
    others = sum(held.by_name[each.name].spent for each in cheap)
    assert held.bench.spent - others < 200 / 5 + 1


def test_whose_work_is_the_same_for_fewer_rows_does_not_hang_twice(tmp_path: Path) -> None:
    class Stepwise(Lawful):
        def work(self, rows: int) -> float:  # noqa: ARG002 -- the same for all
            return 1.0

    held = Held(tmp_path, [Lawful("ridge", 1e-5), Stepwise("mlp", 1e6)], budget_seconds=200)
    (hung,) = [fit for fit in held.bench.fits if fit.candidate == "mlp"]
    assert held.by_name["mlp"].failure == f"{hung.failure} with {hung.rows} rows already"


def test_settings_that_are_better_are_found_and_taken_by_the_better_half_alone(tmp_path: Path) -> None:
    candidates = [Lawful(name, 1e-5, error=place + 1) for place, name in enumerate(CANDIDATES[:6])]
    for each in candidates:
        each.searched = True
    candidates[0].gain = 0.5
    held = Held(tmp_path, candidates, trials=8)
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
    candidate = Lawful("ridge", 0.001)
    candidate.searched, candidate.gain, candidate.dearer = True, 0.5, 30.0
    held = Held(tmp_path, [candidate, Lawful("mlp", 0.01)], trials=8, budget_seconds=120)
    assert any(note.startswith("ridge: settings found are better") for note in held.notes)
    assert any(note.startswith("ridge: with the settings found time is for") for note in held.notes)
    assert all(fit.values == {} for fit in [*held.by_name["ridge"].folds, held.by_name["ridge"].final])


@pytest.mark.parametrize(("days", "said"), [(400, False), (16, True)])
def test_settings_that_few_days_confirm_are_said_to_be(days: int, said: bool, tmp_path: Path) -> None:
    candidate = Lawful("ridge", 1e-5)
    candidate.searched, candidate.gain = True, 0.5
    pool = made_rows("regression", LABEL, np.zeros((4000, 1)), where=np.arange(4000) * days // 4000)
    (note,) = Held(tmp_path, [candidate], pool, trials=8).notes
    assert note.startswith("ridge: settings found are better than its own: setting=0.")
    assert note.endswith("nothing of other days") is said
    assert ("what confirmed them are resamples of single rows, since there is one day" in note) is said


def test_who_lacks_memory_goes_on_with_fewer_rows(tmp_path: Path) -> None:
    folds, final = Lawful("ridge", 1e-5), Lawful("lightgbm", 1e-5)
    folds.most, final.most = {"fold": 1000, "final": 1000}, {"final": 1500}
    held = Held(tmp_path, [folds, final])
    assert [fit.rows for fit in held.by_name["ridge"].folds] == [889, 889, 889]
    assert held.by_name["ridge"].final.rows <= 1000
    assert [fit.rows for fit in held.by_name["lightgbm"].folds] == [2666, 2667, 2667]
    assert held.by_name["lightgbm"].final.rows == 1333
    assert any("lightgbm: with 4000 rows it needs more memory" in note for note in held.notes)


def test_folds_that_are_there_are_not_given_away_for_more_rows_that_fail(tmp_path: Path) -> None:
    greedy = Lawful("xgboost", 1e-5)
    greedy.fewest, greedy.most = (
        {"size": 10_000},
        {"fold": 900, "final": 1500},
    )  # it begins on few rows, and has time for all
    held = Held(tmp_path, [Lawful("ridge", 1e-5), greedy])
    entry = held.by_name["xgboost"]
    assert {fit.rows for fit in held.bench.fits if fit.phase == "fold" and fit.failure} == {2666}
    assert [fit.rows for fit in entry.folds] == [800, 800, 800]
    assert entry.failure is None
    assert entry.final.rows == 1200
    assert any("it stays with fewer" in note for note in held.notes)


def test_of_whom_nothing_is_known_little_is_risked(tmp_path: Path) -> None:
    strange = Lawful("mlp", 1e-2, exponent=1.5)  # nobody has seen how slow it is
    strange.fewest = {"size": 10_000}
    held = Held(tmp_path, [Lawful("ridge", 1e-5), strange], budget_seconds=200)
    fits = [fit for fit in held.bench.fits if fit.candidate == "mlp" and fit.phase == "fold"]
    assert fits[0].rows == 800
    assert max(fit.seconds for fit in fits) <= 200 / 2 / 2
    assert held.bench.spent < 2 * 200
    picky = Lawful("mlp", 1e-5)
    picky.fewest = {"size": 10_000, "fold": 2000}
    assert Held(tmp_path / "picky", [picky]).by_name["mlp"].final.rows == 4000
