"""Whom the ladder recommends."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.contests import CANDIDATES, Limits
from conf.errors import FranklinError
from conf.exchange import Estimate
from conf.selecting import Curve, Latency, Recommendation, Standing
from models.candidates.fronts import front
from models.candidates.ladder import letters, recommend
from models.candidates.standings import Scale, compared
from models.evaluation.metrics import AUC, RMSE

FREE = Limits()
SCALE = Scale(RMSE)
FAMILY = {"mean": "baseline", "median": "baseline", "ridge": "linear", "random_forest": "tree", "lightgbm": "boosting"}
LATENCY = Latency(
    one_p50_seconds=1e-4, one_p99_seconds=2e-4, batch_rows=1024, batch_p50_seconds=1e-6, batch_p99_seconds=2e-6
)


def stand(name: str, folds: list[float], **changes: Any) -> Standing:
    value = Estimate(value=1, low=0, high=2)
    known: dict[str, Any] = {"values": {}, "low": None, "high": None, "behind": None, "behind_error": None}
    known |= {"test": {"rmse": value}, "rows": 9, "processor_seconds": 1.0, "seconds": 1.0, "peak_memory_bytes": 1}
    known |= {"size_bytes": 1000, "latency": LATENCY, "curve": Curve(rows=[], values=[], law=None), "periods": []}
    known |= {"threshold": None, "failure": None, "mean": float(np.mean(folds)) if folds else None}
    return Standing.model_validate(
        {"candidate": name, "family": FAMILY.get(name, "network"), "folds": folds} | known | changes
    )


MEAN = stand("mean", [9.0, 9.1, 8.9])
RIDGE = stand("ridge", [3.0, 3.2, 3.4])
FOREST = stand("random_forest", [2.9, 3.3, 3.3])  # better by 0.03, standard error 0.07
LIGHTGBM = stand("lightgbm", [2.0, 2.2, 2.3])


def asked(*standings: Standing, limits: Limits = FREE, scale: Scale = SCALE) -> Recommendation:
    return recommend(standings, scale, limits)


def test_the_simplest_within_one_standard_error_of_the_best_is_recommended() -> None:
    found = asked(MEAN, RIDGE, FOREST)
    assert (found.candidate, found.best) == ("ridge", "random_forest")
    assert found.why == (
        "ridge with RMSE 3.2 over 3 folds is the simplest within one standard error of the best, random_forest with "
        "3.167 (gap 0.033, standard error 0.067). It answers for a row in 200 µs (p99) and was fitted in 1 "
        "processor-seconds."
    )
    assert found.given_up.startswith("0.033 of RMSE against random_forest (standard error 0.067), which takes 1 times")


def test_a_complex_candidate_that_earns_its_place_is_recommended() -> None:
    found = asked(MEAN, RIDGE, FOREST, LIGHTGBM)
    assert (found.candidate, found.best) == ("lightgbm", "lightgbm")
    assert found.given_up == "nothing, it is the best."


def test_who_is_as_good_and_ten_times_as_quick_is_named() -> None:
    quick = LATENCY.model_copy(update={"one_p50_seconds": 2e-6})
    slower = LATENCY.model_copy(update={"one_p50_seconds": 2e-5})
    found = asked(MEAN, RIDGE, stand("lightgbm", FOREST.folds, latency=quick))
    assert (found.candidate, found.best) == ("ridge", "lightgbm")
    assert found.given_up.endswith(
        ". lightgbm is within one standard error as well, and answers for a row 50 times as fast."
    )
    assert "as well" not in asked(MEAN, RIDGE, stand("lightgbm", FOREST.folds, latency=slower)).given_up
    assert "as well" not in asked(MEAN, RIDGE, stand("lightgbm", [4.0, 4.2, 4.4], latency=quick)).given_up


def test_who_is_ahead_and_costs_no_more_is_named() -> None:
    ahead = "random_forest is ahead by 0.033 (standard error 0.067) and costs about the same (a row, a fit, disk): "
    assert f"{ahead}only its higher place on the ladder speaks against it." in asked(MEAN, RIDGE, FOREST).given_up
    slower = LATENCY.model_copy(update={"one_p99_seconds": 2.6e-4})
    dearer: list[dict[str, Any]] = [{"latency": slower}, {"size_bytes": 1300}, {"size_bytes": None}]
    dearer += [{"processor_seconds": 1.3}, {"processor_seconds": 0.5, "whole_processor_seconds": 1.3}]
    for cost in dearer:
        assert "ahead by" not in asked(MEAN, RIDGE, stand("random_forest", FOREST.folds, **cost)).given_up


def test_nothing_that_is_no_better_than_a_baseline_beyond_noise_is_recommended_over_it() -> None:
    lucky = stand("ridge", [8.9, 9.1, 8.8])
    found = asked(MEAN, lucky)
    assert (found.candidate, found.best) == ("mean", "ridge")
    assert "Nothing is better than mean, a baseline" in found.why
    assert "ahead by" not in found.given_up


def test_an_ensemble_has_to_be_better_than_the_best_of_its_members_beyond_noise() -> None:
    members = {"lightgbm": 0.5, "ridge": 0.5}
    hardly = stand("ensemble", [1.99, 2.19, 2.27], family="ensemble", members=members)  # more than one error ahead
    found = asked(MEAN, RIDGE, LIGHTGBM, hardly)
    assert (found.candidate, found.best) == ("lightgbm", "ensemble")
    assert found.why.startswith(
        "lightgbm is the best single candidate with RMSE 2.167 over 3 folds, nothing simpler is within one standard "
        "error of it, and the ensemble with 2.15 is not better beyond noise. It answers"
    )
    clearly = stand("ensemble", [1.5, 1.71, 1.8], family="ensemble", members=members)
    assert asked(MEAN, RIDGE, LIGHTGBM, clearly).candidate == "ensemble"


def test_who_would_do_but_breaks_a_limit_is_refused_and_said() -> None:
    limits = Limits(latency_seconds=0.001, size="1m")
    slow = LATENCY.model_copy(update={"one_p99_seconds": 0.01})
    found = asked(MEAN, RIDGE, stand("lightgbm", LIGHTGBM.folds, latency=slow, size_bytes=2**21), limits=limits)
    assert (found.candidate, found.best) == ("ridge", "lightgbm")
    assert found.refused == {"lightgbm": "breaks the limit of 0.001 s for a row and 1m on disk"}
    assert found.why.endswith("which keeps all limits.")
    assert found.given_up.startswith("1 of RMSE against lightgbm")


def test_if_nobody_keeps_the_limits_the_nearest_is_recommended_and_it_is_said() -> None:
    limits = Limits(size="1m")
    big = [stand(name, LIGHTGBM.folds, size_bytes=size) for name, size in (("ridge", 2**24), ("lightgbm", 2**22))]
    found = asked(*big, limits=limits)
    assert found.candidate == "lightgbm"
    assert found.why.endswith("Nobody keeps the limits; this one comes nearest and breaks the limit of 1m on disk.")
    assert set(found.refused) == {"ridge"}


def test_what_was_not_measured_keeps_no_limit_that_asks_for_it() -> None:
    unmeasured = stand("ridge", [1.0, 1.1, 1.2], latency=None)
    assert asked(MEAN, unmeasured, limits=Limits(latency_seconds=1)).candidate == "mean"
    assert asked(MEAN, unmeasured).candidate == "ridge"
    refused = asked(MEAN, unmeasured, limits=Limits(latency_seconds=1, size="1m")).refused
    assert refused == {"ridge": "was not measured against the limit of 1 s for a row"}


def test_without_a_99th_percentile_the_median_breaks_a_limit_and_else_nobody_measured_it() -> None:
    few = LATENCY.model_copy(update={"one_p50_seconds": 0.2, "one_p99_seconds": None})
    slow = stand("lightgbm", LIGHTGBM.folds, latency=few)
    found = asked(MEAN, RIDGE, slow, limits=Limits(latency_seconds=0.1))
    assert found.candidate == "ridge"
    assert found.refused == {"lightgbm": "breaks the limit of 0.1 s for a row"}
    assert found.given_up.endswith("which takes 2,000 times as long for a row and 1 times the processor-seconds.")
    found = asked(MEAN, RIDGE, slow, limits=Limits(latency_seconds=0.3))
    assert found.candidate == "ridge"
    assert found.refused == {"lightgbm": "was not measured against the limit of 0.3 s for a row"}
    found = asked(MEAN, RIDGE, slow)
    assert "It answers for a row in 200 ms (p50; too slow for a p99)" in found.why
    assert [each.candidate for each in front([RIDGE, slow], "latency_seconds", higher_is_better=False)] == ["ridge"]


def test_processor_seconds_on_a_share_of_the_rows_are_judged_as_on_all() -> None:
    limits = Limits(processor_seconds=2)
    short = stand("lightgbm", LIGHTGBM.folds, processor_seconds=1, whole_processor_seconds=8)
    found = asked(MEAN, RIDGE, short, limits=limits)
    assert found.candidate == "ridge"
    assert found.refused == {"lightgbm": "breaks the limit of 2.0 processor-seconds"}
    assert [
        (each.candidate, each.price) for each in front([RIDGE, short], "processor_seconds", higher_is_better=False)
    ][-1] == ("lightgbm", 8)


def test_who_fell_out_is_not_recommended_and_if_all_did_it_is_an_error_of_one_line() -> None:
    out = stand("lightgbm", [], failure="it crashed", test={})
    assert asked(MEAN, RIDGE, out).candidate == "ridge"
    assert asked(RIDGE, stand("lightgbm", LIGHTGBM.folds, test={}, failure="its final fit failed")).candidate == "ridge"
    with pytest.raises(FranklinError, match="none of 1 candidates could be fitted; the first failed with lightgbm: it"):
        asked(out)


@given(st.lists(st.lists(st.floats(0.1, 10), min_size=3, max_size=3), min_size=2, max_size=6), st.booleans())
def test_direction_and_unit_of_the_metric_do_not_matter(folds: list[list[float]], baseline: bool) -> None:
    names = ["mean" if baseline else "mlp", *[name for name in CANDIDATES if name not in ("mean", "mlp")]]
    ranked = sorted(names[: len(folds)], key=CANDIDATES.index)
    losses = [stand(name, values) for name, values in zip(ranked, folds, strict=True)]
    gains = [stand(name, [-4 * value for value in values]) for name, values in zip(ranked, folds, strict=True)]
    found, turned = asked(*losses), asked(*gains, scale=Scale(AUC))
    assert (found.candidate, found.best) == (turned.candidate, turned.best)
    behind = compared(losses, SCALE)
    assert all(each.behind >= -1e-12 for each in behind)
    assert next(each for each in behind if each.candidate == found.best).behind == 0


def test_folds_that_learn_from_one_anothers_rows_have_a_larger_error() -> None:
    alone, overlapping = (scale.gap([3, 3.2, 3.4], [2.9, 3.3, 3.3]) for scale in (SCALE, Scale(RMSE, 0.5)))
    assert alone[0] == overlapping[0]
    assert overlapping[1] == pytest.approx(alone[1] * np.sqrt((1 / 3 + 0.5) / (1 / 3)))


def test_one_fold_has_an_unknown_error_and_nothing_is_recommended_over_what_is_simpler() -> None:
    alone = [stand("mean", [2.0]), stand("ridge", [1.9]), stand("lightgbm", [1.8])]
    found = asked(*alone)
    assert (found.candidate, found.best) == ("mean", "lightgbm")
    assert asked(*alone[1:]).candidate == "ridge"
    assert "standard error unknown" in asked(*alone[1:]).why
    assert SCALE.interval([2.0]) is None
    assert [each.behind_error for each in compared(alone, SCALE)] == [None] * 3


def test_intervals_keep_to_what_a_metric_can_be() -> None:
    loss, score = SCALE.interval([0.1, 0.2, 0.9]), Scale(AUC).interval([0.5, 0.9, 1.0])
    assert loss is not None
    assert score is not None
    assert (loss[0], score[1]) == (0, 1)


@given(st.text())
def test_letters_hide_names_differently_for_each_run(seed: str) -> None:
    standings = [MEAN, RIDGE, FOREST, LIGHTGBM]
    found = letters(standings, seed)
    assert sorted(found.values()) == list("ABCD")
    assert list(found) == [each.candidate for each in standings]
    assert found == letters(standings, seed)
