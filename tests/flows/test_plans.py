"""Which strategy `strategy=auto` chooses, and what it shows."""

import pytest

from conf.compose import compose
from conf.errors import FranklinError
from conf.exchange import Plan, PlanResult
from flows.plans import as_text, candidates, choose, judge, table, unsuited

MIB = 2**20


def plan(strategy: str, ranks: int, activations: int, flop: float, sent: int = 0) -> Plan:
    held = {"parameters_bytes": MIB, "gradients_bytes": MIB, "optimizer_bytes": 2 * MIB}
    asked = {"activations_bytes": activations * MIB, "communicated_bytes": sent * MIB, "flop": flop, "idle_share": 0.0}
    return Plan(strategy=strategy, world_size=ranks, **held, **asked)  # type: ignore[arg-type]


PLANS = PlanResult(
    plans=[plan("single", 1, 16, 2e9), plan("ddp", 2, 8, 1e9, sent=1), plan("fsdp", 2, 4, 1e9, sent=3)],
    flop_per_second=1e10,
)


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


@pytest.mark.parametrize(("memory", "chosen"), [("64m", "single"), ("12m", "ddp"), ("8m", "fsdp")])
def test_the_quickest_that_fits_is_chosen(memory: str, chosen: str) -> None:
    settings = compose("flights_delay", ["strategy=auto", f"strategy.memory={memory}"])
    judged = judge(settings, PLANS)
    assert choose(settings, judged, []).strategy.name == chosen
    (line,) = (
        line.split() for line in as_text(table(judged, [], auto=True)).splitlines() if line.rstrip().endswith("chosen")
    )
    assert line[0] == chosen


def test_the_table_says_what_each_is_best_at() -> None:
    shown = as_text(table(judge(compose("flights_delay", []), PLANS), [], auto=False))
    assert shown.rstrip().endswith("quickest: single, 200.0 ms; least memory: fsdp, 8.0 MiB a rank")
    loose = PLANS.model_copy(update={"plans": [*PLANS.plans, plan("async", 2, 16, 1e9)]})
    shown = as_text(table(judge(compose("flights_delay", []), loose), [], auto=False))
    assert shown.rstrip().endswith("so strategy=auto leaves them out")


def test_on_gpus_ranks_do_not_share_a_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    settings = compose("flights_delay", ["strategy=auto"])
    assert choose(settings, judge(settings, PLANS), []).strategy.name == "ddp"


def test_nothing_that_fits_is_an_error_with_the_ways_out() -> None:
    settings = compose("flights_delay", ["strategy=auto", "strategy.memory=7m"])
    with pytest.raises(FranklinError, match=r"memory=7m: fsdp needs least, 8.0 MiB a rank; give more memory or ranks"):
        choose(settings, judge(settings, PLANS), [])


def test_what_does_not_suit_is_told_and_never_chosen() -> None:
    settings = compose("flights_delay", ["strategy=auto", "strategy.world_size=1"])
    result = PLANS.model_copy(update={"unsuited": ["pipeline: network mlp has 2 blocks"]})
    others = unsuited(settings, result)
    assert [line.split(":")[0] for line in others] == ["tensor", "pipeline"]
    text = as_text(table(judge(settings, result), others, auto=True))
    assert "tensor: strategy.tensor_size=2 does not divide 1 rank" in text
    with pytest.raises(FranklinError, match=r"^no strategy of strategy.candidates suits: tensor: strategy.tensor_size"):
        choose(settings, [], others)
    with pytest.raises(FranklinError, match=r"does not divide 1 rank"):
        candidates(compose("flights_delay", ["strategy=tensor", "strategy.world_size=1"]))


def test_all_strategies_are_planned_unless_some_are_named() -> None:
    every = {each.strategy.name: each.world_size for each in candidates(compose("flights_delay", ["strategy=ddp"]))}
    assert every | {"single": 1, "ddp": 2, "fsdp": 2, "tensor": 2, "pipeline": 2, "local_sgd": 2, "async": 2} == every
    assert "auto" not in every
    named = candidates(compose("flights_delay", ["strategy=auto", "strategy.candidates=[ddp]"]))
    assert [each.strategy.name for each in named] == ["ddp"]
