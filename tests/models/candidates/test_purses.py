"""How the time of folds is shared: the cheap lose nothing, the better ones have more, nobody is starved."""

from pathlib import Path

import pytest

from conf.contests import CANDIDATES, CandidateName
from models.candidates.bench import Taken
from models.candidates.purses import better_half
from models.candidates.standings import Scale, standing
from models.evaluation.metrics import RMSE
from tests.models.candidates.clockwork import Held, Lawful


def test_the_expensive_are_fitted_on_fewer_rows_and_the_cheap_lose_nothing(tmp_path: Path) -> None:
    cheap = [Lawful(name, 1e-4) for name in CANDIDATES[:4]]
    held = Held(tmp_path, [*cheap, Lawful("xgboost", 0.02), Lawful("mlp", 0.03)], budget_seconds=200)
    assert all(held.by_name[each.name].final.rows == 4000 for each in cheap)
    assert 500 <= held.by_name["mlp"].final.rows < held.by_name["xgboost"].final.rows < 4000
    assert held.bench.spent <= 200
    shown = standing(held.by_name["mlp"], held.bench, Scale(RMSE), 4000)
    assert shown.whole_processor_seconds == pytest.approx(0.03 * 4000, rel=0.01)
    assert standing(held.by_name[cheap[0].name], held.bench, Scale(RMSE), 4000).whole_processor_seconds is None
    for name in ("xgboost", "mlp"):
        assert len(held.by_name[name].folds) == 3
        assert any(note.startswith(f"{name}: time was for") and "rows" in note for note in held.notes)


def test_of_the_expensive_the_better_ones_have_more_rows_and_nobody_is_starved(tmp_path: Path) -> None:
    names: tuple[CandidateName, ...] = ("decision_tree", "random_forest", "gradient_boosting", "xgboost", "lightgbm")
    laws = [Lawful(name, 0.004, error=error) for name, error in zip(names, (5, 4, 3, 2, 1), strict=True)]
    held = Held(tmp_path, laws, budget_seconds=200)
    assert [len(held.by_name[name].folds) for name in names] == [3] * 5
    shares = [held.by_name[name].share for name in names]
    assert shares == sorted(shares)
    assert shares[-1] > 1.5 * shares[0]
    assert min(shares) >= 500 / 2666
    assert held.bench.spent <= 200


def test_lines_are_judged_though_every_fit_takes_long_however_few_its_rows_are(tmp_path: Path) -> None:
    lines: tuple[CandidateName, ...] = ("linear_regression", "ridge", "lasso")
    others: tuple[CandidateName, ...] = ("decision_tree", "random_forest", "gradient_boosting", "xgboost", "lightgbm")
    laws = [Lawful(name, 8, exponent=0, error=2 if name in lines else 1) for name in (*lines, *others)]
    for each in laws[: len(lines)]:
        each.family = "linear"
    laws[-1].error = 0.5
    held = Held(tmp_path, laws, budget_seconds=300, starts=True)
    assert [len(held.by_name[name].folds) for name in lines] == [3] * 3
    assert len(held.by_name["lightgbm"].folds) == 3
    assert any("were left for it" in str(held.by_name[name].failure) for name in others)
    assert held.bench.spent <= 300


def test_the_best_ones_are_judged_on_the_same_rows_though_one_is_slower(tmp_path: Path) -> None:
    names: tuple[CandidateName, ...] = ("mean", "decision_tree", "random_forest", "xgboost", "lightgbm")
    laws = [Lawful(name, 0.002, error=error) for name, error in zip(names, (5, 4, 3, 1.5, 1), strict=True)]
    laws[-1].factor = 0.008
    held = Held(tmp_path, laws, budget_seconds=200)
    quick, slow = held.by_name["xgboost"], held.by_name["lightgbm"]
    assert slow.share < 1
    assert 2 / 3 < quick.share / slow.share < 3 / 2
    laws[-1].factor = 0.04  # so slow that the other one would have to wait for it
    held = Held(tmp_path / "slow", laws, budget_seconds=400)
    assert held.by_name["xgboost"].share > 2 * held.by_name["lightgbm"].share


def test_who_had_no_time_is_judged_if_others_leave_some(tmp_path: Path) -> None:
    early, late = Lawful("decision_tree", 0.04, error=2), [Lawful("xgboost", 0.01), Lawful("lightgbm", 0.01)]
    for each in late:
        each.most = {"fold": 100}
    held = Held(tmp_path, [early, *late], budget_seconds=240)
    assert all("needs more memory" in held.by_name[each.name].failure for each in late)
    fits = [fit for fit in held.bench.fits if fit.phase == "fold"]
    assert [fit.candidate for fit in fits[-3:]] == ["decision_tree"] * 3
    assert held.by_name["decision_tree"].final is not None


def test_who_has_no_time_for_rows_enough_to_be_judged_by_falls_out(tmp_path: Path) -> None:
    held = Held(tmp_path, [Lawful("ridge", 1e-4), Lawful("mlp", 0.5)], budget_seconds=200)
    assert "seconds on the fewest rows that count, 18.8% of all, and" in held.by_name["mlp"].failure
    assert held.by_name["ridge"].final.rows == 4000


def test_one_that_is_slow_does_not_have_the_others_compared_on_few_rows(tmp_path: Path) -> None:
    others = [Lawful(name, 1e-5, error=place + 1) for place, name in enumerate(CANDIDATES[:3])]
    slow = Lawful("mlp", 0.045, error=0.5)
    held = Held(tmp_path, [*others, slow], budget_seconds=100, whole=False)
    entries = held.entries
    assert list(held.by_name["mlp"].curve) == [267]
    assert [entry.name for entry in better_half(held.bench, entries)] == ["mlp", CANDIDATES[0]]
    first, second, *_ = entries
    for entry, other in ((first, second), (second, first)):
        entry.curve[267] = other.curve[800]  # what few rows say is not asked
    assert better_half(held.bench, entries[:3])[0] is first


def test_where_starts_are_not_the_same_for_all_a_slow_one_makes_no_steep_law_and_rows_count_still(
    tmp_path: Path,
) -> None:
    """In Spark, a fit of a few rows takes seconds, and which depends on the candidate."""
    held = Held(tmp_path, [Lawful("mean", 1e-5), Lawful("lasso", 1e-5)], whole=False)
    held.clock.slowest_start, held.clock.same_start = 30.0, False
    quick, slow = (held.by_name[name] for name in ("mean", "lasso"))
    quick.seen, slow.seen = [Taken(100, 1.0, "own")], [Taken(100, 8.0, "own")]
    assert 8 < held.bench.seconds(slow, 400) < 12
    assert 1 < held.bench.seconds(quick, 400) < 1.5
    slow.seen = [Taken(rows, seconds, "own") for rows, seconds in ((1200, 8.0), (3700, 7.0), (11_100, 6.5))]
    assert 7 < held.bench.seconds(slow, 100_000) < 15
