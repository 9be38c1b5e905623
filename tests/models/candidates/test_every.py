"""What every candidate promises, on every task that it is for."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.errors import FranklinError
from conf.schema import Range
from models.candidates import local_candidates, named
from models.candidates.candidate import Fitted
from models.candidates.rows import Rows
from tests.models.candidates.made import BUNDLED, bundled, main_score, rows_of, signal

TASKS = ("binary", "multiclass", "regression")
EVERY = [(task, each.name) for task in TASKS for each in local_candidates() if task in each.tasks]
LEARNING = [(task, name) for task, name in EVERY if named(name).family != "baseline"]
ROWS = {task: signal(task) for task in TASKS}
FITTED: dict[tuple[str, str], Fitted] = {}


def first(rows: Rows, count: int) -> Rows:
    return rows.take(np.arange(count))


def fit(name: str, rows: Rows, **values: float) -> Fitted:
    return named(name).fit(rows, seed=3, values=values, threads=1)


def fitted(task: str, name: str) -> Fitted:
    """Fit on 400 of the rows, once for all tests."""
    if (task, name) not in FITTED:
        FITTED[task, name] = fit(name, first(ROWS[task], 400))
    return FITTED[task, name]


def check(scores: object, rows: Rows) -> None:
    """See that scores are what `judge` takes."""
    assert isinstance(scores, np.ndarray)
    assert scores.dtype == np.float64
    classes = len(rows.columns.classes)
    assert scores.shape == ((len(rows), classes) if rows.columns.task == "multiclass" else (len(rows),))
    assert np.isfinite(scores).all()
    if rows.columns.task != "regression":
        assert ((scores >= 0) & (scores <= 1)).all()
    if rows.columns.task == "multiclass":
        np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_scores_have_the_shape_that_is_judged(task: str, name: str) -> None:
    rows = ROWS[task]
    check(fitted(task, name).predict(rows), rows)
    check(fitted(task, name).predict(first(rows, 1)), first(rows, 1))


@pytest.mark.parametrize(("task", "name"), LEARNING)
def test_what_learns_beats_the_baseline(task: str, name: str) -> None:
    rows = ROWS[task].take(np.arange(400, 600))
    baseline = fitted(task, "mean" if task == "regression" else "majority").predict(rows)
    assert main_score(rows, fitted(task, name).predict(rows)) > main_score(rows, baseline) + 0.1


@pytest.mark.parametrize("set_name", BUNDLED)
def test_what_learns_beats_the_baseline_on_bundled_sets(set_name: str) -> None:
    rows = bundled(set_name)
    cut = len(rows) * 2 // 3
    learn, held = first(rows, cut), rows.take(np.arange(cut, len(rows)))
    baseline = main_score(held, fit("mean" if rows.columns.task == "regression" else "majority", learn).predict(held))
    for task, name in LEARNING:
        if task == rows.columns.task:
            assert main_score(held, fit(name, learn).predict(held)) > baseline, name


@pytest.mark.parametrize(("task", "name"), EVERY)
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 60))
def test_a_score_is_a_function_of_its_row(task: str, name: str, seed: int, rows: int) -> None:
    drawn = np.random.default_rng(seed).integers(0, len(ROWS[task]), rows)
    whole = fitted(task, name).predict(ROWS[task])
    np.testing.assert_allclose(fitted(task, name).predict(ROWS[task].take(drawn)), whole[drawn], rtol=1e-6)


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_labels_are_not_looked_at(task: str, name: str) -> None:
    rows = first(ROWS[task], 50)
    blind = Rows(rows.columns, rows.numbers, rows.codes, np.zeros(50))
    np.testing.assert_array_equal(fitted(task, name).predict(blind), fitted(task, name).predict(rows))


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_the_same_seed_gives_the_same_scores(task: str, name: str) -> None:
    again = fit(name, first(ROWS[task], 400))
    np.testing.assert_array_equal(again.predict(ROWS[task]), fitted(task, name).predict(ROWS[task]))


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_what_was_saved_gives_the_same_scores(task: str, name: str, tmp_path: Path) -> None:
    fitted(task, name).save(tmp_path)
    loaded = named(name).load(tmp_path, ROWS[task].columns)
    np.testing.assert_array_equal(loaded.predict(ROWS[task]), fitted(task, name).predict(ROWS[task]))
    assert not [file for file in tmp_path.iterdir() if file.suffix in {".pkl", ".pickle", ".joblib"}]


@pytest.mark.parametrize(("task", "name"), LEARNING)
def test_the_ends_of_the_space_can_be_fitted(task: str, name: str) -> None:
    space = named(name).space(ROWS[task].columns)
    ends = {key: (r.low, r.high) if isinstance(r, Range) else (r.choices[0], r.choices[-1]) for key, r in space.items()}
    for end in (0, 1):
        values = {key: pair[end] for key, pair in ends.items()}
        check(fit(name, first(ROWS[task], 80), **values).predict(ROWS[task]), ROWS[task])


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_an_unknown_setting_is_named(task: str, name: str) -> None:
    with pytest.raises(FranklinError, match="no setting 'depht'"):
        fit(name, first(ROWS[task], 20), depht=3)


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_one_class_or_one_row(task: str, name: str) -> None:
    rows = ROWS[task]
    same = rows.take(np.flatnonzero(rows.label == rows.label[0]))
    for few in (first(rows, 1), same):
        if task != "regression" and named(name).family != "baseline":
            with pytest.raises(FranklinError, match="two classes"):
                fit(name, few)
        else:
            scores = fit(name, few).predict(rows)
            check(scores, rows)
            if task == "regression":
                np.testing.assert_allclose(scores, rows.label[0], rtol=1e-5)
            else:
                own = scores if task == "binary" else scores[:, int(rows.label[0])]
                assert (own == (rows.label[0] if task == "binary" else 1)).all()


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_two_rows(task: str, name: str) -> None:
    rows = ROWS[task]
    other = int(np.flatnonzero(rows.label != rows.label[0])[0])
    check(fit(name, rows.take(np.array([0, other]))).predict(rows), rows)


@pytest.mark.parametrize("name", [name for task, name in EVERY if task == "multiclass"])
def test_more_classes_than_rows(name: str) -> None:
    generator = np.random.default_rng(0)
    label = np.concatenate([generator.integers(0, 3, 40), [29]])
    rows = rows_of(generator.normal(size=(41, 2)), label, "multiclass", where=np.arange(41), kind="day")
    learn = first(rows, 12)
    scores = fit(name, learn).predict(rows)
    check(scores, rows)
    assert scores.shape == (41, 30)
    assert (np.delete(scores, np.unique(learn.label.astype(int)), axis=1) == 0).all()


@pytest.mark.parametrize("name", [name for task, name in EVERY if task == "multiclass"])
def test_a_class_of_the_newest_day_alone_is_learned(name: str) -> None:
    generator = np.random.default_rng(0)
    label = np.concatenate([generator.integers(0, 2, 100), np.full(10, 2)])
    rows = rows_of(label[:, None] + generator.normal(size=(110, 1)), label, "multiclass", where=label, kind="day")
    assert fit(name, rows).predict(rows)[-1, 2] > 0


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_ten_thousand_categories(task: str, name: str) -> None:
    generator = np.random.default_rng(0)
    codes = np.stack([generator.permutation(np.r_[generator.zipf(1.3, 2999) % 10_000, 9999]) for _ in range(2)], axis=1)
    score = codes[:, 0] % 3 + generator.normal(0, 0.2, 3000)
    label = score if task == "regression" else np.digitize(score, [1.5] if task == "binary" else [0.5, 1.5])
    rows = rows_of(np.zeros((3000, 0)), label, task, codes=codes, where=np.arange(3000) // 100, kind="day")
    check(fit(name, first(rows, 2000)).predict(rows), rows)


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_no_column_says_anything(task: str, name: str) -> None:
    label = np.arange(60) % (2 if task == "binary" else 3)
    rows = rows_of(np.ones((60, 2)), label, task, where=np.arange(60), kind="day")
    check(fit(name, rows).predict(rows), rows)


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_codes_that_the_fit_has_not_seen(task: str, name: str) -> None:
    rows = ROWS[task]
    known = rows.take(np.flatnonzero((rows.codes[:, 0] < 3) & (rows.codes[:, 1] < 20)))
    check(fit(name, known).predict(rows), rows)


@pytest.mark.parametrize("task", TASKS)
def test_wild_labels_and_numbers_stay_finite(task: str) -> None:
    rows = ROWS[task]
    wild = Rows(rows.columns, rows.numbers * np.float32(1e4), rows.codes, rows.label, rows.where)
    for _, name in (each for each in EVERY if each[0] == task):
        check(fitted(task, name).predict(wild), wild)
