"""Each assumption, planted: kept, it holds; broken, it is found; small, it holds however small its p-value is."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from numpy.typing import NDArray

from conf.contests import CandidateName
from conf.data import Task
from conf.selecting import Finding
from models.candidates.assumptions import CHECKS, Held, look
from models.candidates.assumptions.check import Seen
from models.candidates.assumptions.evidence import Evidence
from models.candidates.rows import Rows
from tests.models.candidates.planted import FAMILIES, fits, held, rows

SEEDS = (0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in (1, 2)))


def seen(pool: Rows, said: dict[CandidateName, Held], folder: Path, test: Rows | None = None) -> dict[str, Finding]:
    found = look(pool, pool if test is None else test, said, FAMILIES, [], folder, 1)
    return {finding.assumption: finding for finding in found}


def regression(
    seed: int, noise: NDArray[np.float64] | None = None, where: NDArray[np.int64] | None = None, what: str = "day"
) -> tuple[Rows, NDArray[np.float64]]:
    """Rows whose label is a line plus `noise`, and that line."""
    generator = np.random.default_rng(seed)
    count = 4000 if noise is None else len(noise)
    numbers = generator.normal(size=(count, 3))
    line = numbers @ np.array([2.0, -1.0, 0.5])
    noise = generator.normal(size=count) if noise is None else noise
    return rows("regression", numbers, line + noise, where=where, what=what), line


@pytest.mark.parametrize("seed", SEEDS)
def test_a_clean_line_breaks_nothing(seed: int, tmp_path: Path) -> None:
    generator = np.random.default_rng(seed)
    pool, line = regression(seed, where=generator.integers(0, 400, 4000))
    bent = line + generator.normal(0, 0.1, len(pool))
    found = seen(pool, {"linear_regression": held(pool, line), "lightgbm": held(pool, bent)}, tmp_path)
    assert {name: finding.verdict for name, finding in found.items() if finding.verdict != "holds"} == {
        "tractability": "unknown"  # there are no fits
    }
    for finding in found.values():
        if finding.figure:
            ET.parse(tmp_path / finding.figure)  # noqa: S314 -- ours


@pytest.mark.parametrize("seed", SEEDS)
def test_skewed_residuals_are_not_normal(seed: int, tmp_path: Path) -> None:
    pool, line = regression(seed, np.random.default_rng(seed).exponential(size=3000) - 1)
    assert seen(pool, {"linear_regression": held(pool, line)}, tmp_path)["normality of residuals"].verdict == "broken"


def test_a_small_effect_holds_though_many_rows_make_its_p_value_tiny(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    pool, line = regression(3, generator.standard_t(12, size=150_000))
    noise = (pool.label - line) * (1 + 0.04 * np.tanh(line))
    pool = rows("regression", pool.numbers, line + noise + 0.06 * (pool.numbers[:, 0] ** 2 - 1))
    found = seen(pool, {"linear_regression": held(pool, line)}, tmp_path)
    for name in ("normality of residuals", "constant variance", "linearity of response"):
        assert found[name].verdict == "holds", found[name]
        assert found[name].p_value is not None
        assert found[name].p_value < 1e-6


@pytest.mark.parametrize("seed", SEEDS)
def test_a_spread_that_grows_with_the_prediction_is_found(seed: int, tmp_path: Path) -> None:
    generator = np.random.default_rng(seed)
    pool, line = regression(seed)
    pool = rows("regression", pool.numbers, line + generator.normal(size=len(pool)) * np.exp(0.5 * line))
    finding = seen(pool, {"linear_regression": held(pool, line)}, tmp_path)["constant variance"]
    assert finding.verdict == "broken"
    assert finding.effect is not None
    assert finding.effect > 3


@pytest.mark.parametrize("seed", SEEDS)
def test_days_that_remember_the_day_before_are_not_independent(seed: int, tmp_path: Path) -> None:
    generator = np.random.default_rng(seed)
    day = np.repeat(np.arange(300), 10)
    of_day = np.zeros(300)
    for place in range(1, 300):
        of_day[place] = 0.8 * of_day[place - 1] + generator.normal()
    shuffled = generator.permutation(len(day))  # order of rows says nothing, days do
    noise = (of_day[day] + generator.normal(size=len(day)))[shuffled]
    pool, line = regression(seed, noise, where=15_000 + day[shuffled])
    found = seen(pool, {"linear_regression": held(pool, line)}, tmp_path)
    assert found["independence in time"].verdict == found["independence of rows"].verdict == "broken"


def test_groups_share_their_residuals_and_know_no_time(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    group = generator.integers(0, 100, 3000)
    pool, line = regression(1, generator.normal(size=100)[group] + generator.normal(size=3000), group, "group")
    found = seen(pool, {"linear_regression": held(pool, line)}, tmp_path)
    assert found["independence of rows"].verdict == "broken"
    assert found["independence of rows"].effect == pytest.approx(0.5, abs=0.12)
    assert found["independence in time"].verdict == "unknown"


def test_the_column_that_bends_is_named(tmp_path: Path) -> None:
    pool, line = regression(5)
    pool = rows("regression", pool.numbers, pool.label + np.sin(2 * pool.numbers[:, 1].astype(np.float64)))
    finding = seen(pool, {"linear_regression": held(pool, line)}, tmp_path)["linearity of response"]
    assert finding.verdict == "broken"
    assert "n1" in finding.says


def test_steps_are_not_smooth_but_a_steep_curve_is(tmp_path: Path) -> None:
    generator = np.random.default_rng(6)
    numbers = generator.uniform(-1, 1, size=(20_000, 2))
    noise = generator.normal(0, 0.3, len(numbers))
    stepped = rows("regression", numbers, np.sign(np.sin(100 * numbers[:, 1])) + noise)
    curved = rows("regression", numbers, np.sin(5 * numbers[:, 1]) + noise)
    finding = seen(stepped, {}, tmp_path)["smoothness of response"]
    assert finding.verdict == "broken"
    assert "n1" in finding.says
    assert seen(curved, {}, tmp_path)["smoothness of response"].verdict == "holds"


def test_an_interaction_is_seen_through_another_family(tmp_path: Path) -> None:
    pool, line = regression(7)
    product = pool.numbers[:, 0].astype(np.float64) * pool.numbers[:, 1]
    pool = rows("regression", pool.numbers, pool.label + product)
    said = {"linear_regression": held(pool, line), "lightgbm": held(pool, line + product)}
    found = seen(pool, said, tmp_path)
    assert found["no interactions"].verdict == "broken"
    assert found["no interactions"].candidate == "linear_regression"


def binary(seed: int, count: int = 6000) -> tuple[Rows, NDArray[np.float64]]:
    """Rows of a logistic truth, and their probabilities."""
    generator = np.random.default_rng(seed)
    numbers = generator.normal(size=(count, 3))
    chance = 1 / (1 + np.exp(-numbers @ np.array([1.0, -1.0, 0.0])))
    return rows("binary", numbers, (generator.random(count) < chance) * 1.0), chance


@pytest.mark.parametrize("seed", SEEDS)
def test_true_probabilities_are_calibrated_and_sharpened_ones_are_not(seed: int, tmp_path: Path) -> None:
    pool, chance = binary(seed)
    sharp = 1 / (1 + np.exp(-3 * np.log(chance / (1 - chance))))
    said = {"logistic_regression": held(pool, chance), "lightgbm": held(pool, sharp)}
    found = look(pool, pool, said, FAMILIES, [], tmp_path, 1)
    verdicts = {finding.candidate: finding.verdict for finding in found if finding.assumption == "calibration"}
    assert verdicts == {"logistic_regression": "holds", "lightgbm": "broken"}
    assert {finding.families[0] for finding in found if finding.assumption == "calibration"} == {"linear", "boosting"}
    others = {finding.assumption: finding.verdict for finding in found}
    assert others["overlap of classes"] == others["linearity of response"] == "holds"


def test_perfect_separation_is_found(tmp_path: Path) -> None:
    pool, chance = binary(1, 800)
    apart = rows("binary", pool.numbers, (chance > 0.5) * 1.0)
    finding = seen(apart, {"logistic_regression": held(apart, chance)}, tmp_path)["overlap of classes"]
    assert finding.verdict == "broken"
    assert "plane" in finding.says
    # One row on the wrong side, and no plane separates them.
    label = apart.label.copy()
    label[np.argmax(chance)] = 0
    nearly = rows("binary", pool.numbers, label)
    assert (
        seen(nearly, {"logistic_regression": held(nearly, chance)}, tmp_path)["overlap of classes"].verdict != "broken"
    )


def test_a_boundary_that_bends_is_seen_through_another_family(tmp_path: Path) -> None:
    generator = np.random.default_rng(2)
    numbers = generator.normal(size=(3000, 2))
    chance = np.where(numbers[:, 0] * numbers[:, 1] > 0, 0.9, 0.1)
    pool = rows("binary", numbers, (generator.random(3000) < chance) * 1.0)
    said = {"logistic_regression": held(pool, np.full(3000, 0.5)), "lightgbm": held(pool, chance)}
    assert seen(pool, said, tmp_path)["linear class boundary"].verdict == "broken"


def test_every_check_ran_has_its_own_name() -> None:
    assert len({check.assumption for check in CHECKS}) == len(CHECKS)


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
@pytest.mark.parametrize("count", [1, 2, 12])
def test_too_few_rows_are_unknown_and_stop_nobody(task: Task, count: int, tmp_path: Path) -> None:
    generator = np.random.default_rng(count)
    pool = rows(task, generator.normal(size=(count, 2)), np.zeros(count), where=np.zeros(count, dtype=np.int64))
    scores = np.full((count, 3), 1 / 3) if task == "multiclass" else np.full(count, 0.5)
    said = {"linear_regression": held(pool, scores), "lightgbm": held(pool, scores)}
    found = look(pool, pool, said, FAMILIES, fits("mlp", [10, 20], [1, 2]), tmp_path, 1)
    assert {finding.assumption for finding in found} == {check.assumption for check in CHECKS if task in check.tasks}
    assert {finding.verdict for finding in found} <= {"unknown", "holds", "doubtful"}
    assert all(finding.says.endswith(".") for finding in found)


def test_scores_that_are_not_numbers_are_nobody_and_stop_nobody(tmp_path: Path) -> None:
    pool, line = regression(1)
    broken = line.copy()
    broken[0] = np.nan
    found = seen(pool, {"linear_regression": held(pool, broken)}, tmp_path)
    assert found["normality of residuals"].verdict == "unknown"
    assert "finite" in found["normality of residuals"].says
    assert found["no multicollinearity"].verdict == "holds"


@pytest.mark.parametrize("surprise", [IndexError("no such place"), KeyError("n7"), MemoryError()])
def test_a_check_that_is_surprised_is_unknown_and_takes_nobody_along(surprise: Exception, tmp_path: Path) -> None:
    def look_away(_: Evidence) -> list[Seen]:
        raise surprise

    pool, line = regression(1)
    evidence = Evidence(pool, pool, {"ridge": held(pool, line)}, FAMILIES, [], tmp_path, 1)
    (finding,) = replace(CHECKS[0], look=look_away).findings(evidence)
    assert finding.verdict == "unknown"
    assert type(surprise).__name__ in finding.says


def test_the_same_seed_gives_the_same_findings_and_figures(tmp_path: Path) -> None:
    pool, chance = binary(1, 1500)
    said = {"logistic_regression": held(pool, chance)}
    one, other = (look(pool, pool, said, FAMILIES, [], tmp_path / name, 1) for name in "ab")
    assert one == other
    for finding in one:
        if finding.figure:
            assert (tmp_path / "a" / finding.figure).read_bytes() == (tmp_path / "b" / finding.figure).read_bytes()
