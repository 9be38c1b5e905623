"""What each strategy would take, and which one `strategy=auto` chooses."""

from collections.abc import Iterator, Sequence
from io import StringIO
from typing import NamedTuple, get_args

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from conf.compose import shipped
from conf.errors import FranklinError
from conf.exchange import Plan, PlanResult, Ranks
from conf.schema import Settings
from conf.strategies import Auto, StrategyName
from models.parallel.room import room_of
from models.parallel.world import world_size

GIGABYTE = 1e9
WIDTH = 120
LEGEND = (
    "params, grads, optim, activ: MiB of parameters, gradients, optimizer state and",
    "activations in the rank that holds most; memory: all of them",
    "sent: MiB that a rank sends in a step; ms: what a step is expected to take",
)
LOOSE = "local_sgd and async end near where one process ends, not there, so strategy=auto leaves them out"


class Judged(NamedTuple):
    """A plan, what a step of it is expected to take in seconds, and whether it fits."""

    plan: Plan
    seconds: float
    fits: bool


def candidates(settings: Settings) -> list[Ranks]:
    """Strategies to plan for: those of `strategy=auto`, or all, and the one that is chosen as it is.

    Raises:
        FranklinError: the one that is chosen cannot be laid out on this machine.

    """
    return [each for each in _asked(settings) if isinstance(each, Ranks)]


def unsuited(settings: Settings, result: PlanResult) -> list[str]:
    """Strategies that cannot be laid out on this machine or do not suit the network, each with the reason."""
    return [*(each for each in _asked(settings) if isinstance(each, str)), *result.unsuited]


def _asked(settings: Settings) -> Iterator[Ranks | str]:
    chosen = settings.strategy
    names: Sequence[StrategyName] = chosen.candidates if isinstance(chosen, Auto) else get_args(StrategyName)
    room = room_of(settings)
    for name in names:
        ranks = None if chosen.name == "single" else chosen.world_size
        strategy = chosen if name == chosen.name else shipped(name, ranks)
        if isinstance(strategy, Auto):
            continue
        try:
            yield Ranks(strategy=strategy, world_size=world_size(strategy, settings.feed.batch_size, room))
        except FranklinError as error:
            if name == chosen.name:
                raise
            yield f"{name}: {error}"


def judge(settings: Settings, result: PlanResult) -> list[Judged]:
    """Put plans in the order of their expected seconds, those that fit first."""
    auto = settings.strategy if isinstance(settings.strategy, Auto) else shipped("auto", None)
    if not isinstance(auto, Auto):
        raise TypeError("conf/strategy/auto.yaml is of another strategy")
    judged, room = [], room_of(settings)
    for plan in result.plans:
        share = plan.world_size // room.unit if room.gpus is False else 1  # ranks without a GPU share a processor
        computing = plan.flop * share / result.flop_per_second / (1 - plan.idle_share)
        seconds = computing + plan.communicated_bytes / (auto.gigabytes_per_second * GIGABYTE)
        judged.append(Judged(plan, seconds, plan.memory_bytes <= auto.memory_bytes))
    return sorted(judged, key=lambda each: (not each.fits, each.seconds))


def choose(settings: Settings, judged: Sequence[Judged], others: Sequence[str]) -> Settings:
    """Settings with the strategy that fits and is expected to be the quickest; `others` are unsuited.

    Raises:
        FranklinError: none fits, or suits.

    """
    if not judged:
        raise FranklinError(f"no strategy of strategy.candidates suits: {'; '.join(others)}")
    if not judged[0].fits:
        least = min(judged, key=lambda each: each.plan.memory_bytes).plan
        memory = settings.strategy.memory if isinstance(settings.strategy, Auto) else ""
        raise FranklinError(
            f"no strategy fits into strategy.memory={memory}: {least.strategy} needs least, "
            f"{mebibytes(least.memory_bytes)} a rank; give more memory or ranks, checkpointing=sqrt, or a smaller "
            "feed.batch_size"
        )
    name = judged[0].plan.strategy
    found = next(each for each in candidates(settings) if each.strategy.name == name)
    return settings.model_copy(update={"strategy": found.strategy})


def table(judged: Sequence[Judged], others: Sequence[str], *, auto: bool) -> Group:
    """Show plans to a person, which of them is best at what, and why there are none of others."""
    shown = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    headings = ("ranks", "params", "grads", "optim", "activ", "memory", "sent", "ms")
    shown.add_column("strategy", no_wrap=True)
    for heading in headings:
        shown.add_column(heading, justify="right", no_wrap=True, min_width=len(heading) + 1)
    if auto:
        shown.add_column("", no_wrap=True)
    for number, (plan, seconds, fits) in enumerate(judged):
        parts = (plan.parameters_bytes, plan.gradients_bytes, plan.optimizer_bytes, plan.activations_bytes)
        sizes = (f"{size / 2**20:,.1f}" for size in (*parts, plan.memory_bytes, plan.communicated_bytes))
        verdict = ("  chosen" if number == 0 and fits else "" if fits else "  too large",) if auto else ()
        shown.add_row(plan.strategy, str(plan.world_size), *sizes, f"{seconds * 1000:,.1f}", *verdict)
    return Group(shown, Text("\n".join((*LEGEND, *_verdict(judged), *others)), style="dim"))


def _verdict(judged: Sequence[Judged]) -> Iterator[str]:
    if len(judged) > 1:
        quickest = min(judged, key=lambda each: each.seconds)
        least = min(judged, key=lambda each: each.plan.memory_bytes).plan
        yield (
            f"quickest: {quickest.plan.strategy}, {quickest.seconds * 1000:,.1f} ms; "
            f"least memory: {least.strategy}, {mebibytes(least.memory_bytes)} a rank"
        )
    if any(each.plan.strategy in ("local_sgd", "async") for each in judged):
        yield LOOSE


def as_text(shown: Group) -> str:
    """What is shown, as plain lines."""
    console = Console(width=WIDTH, file=StringIO(), force_terminal=False)
    with console.capture() as captured:
        console.print(shown)
    return captured.get().strip("\n")


def mebibytes(size: int) -> str:
    """Bytes for a person."""
    return f"{size / 2**20:,.1f} MiB"
