"""`franklin plan`: plans without a flow around them."""

from uuid import uuid4

from rich.console import Console, Group

from conf.exchange import PlanResult, PrepareResult
from conf.schema import Settings
from flows.display import Terminal
from flows.engines import PLAN, PREPARE, network, to_plan, to_prepare
from flows.plans import candidates, judge, table, unsuited
from flows.processes import Cost, run_engine
from spark_jobs.fingerprint import fingerprint, pinned


def plans(settings: Settings) -> Group:
    """Plan every strategy for a feature set, which is prepared first if it is not there.

    Raises:
        FranklinError: a mistake that a person can mend, such as a candidate that is no network, for which there is no
            plan.

    """
    network(settings)  # a mistake is told before anything starts
    folder = settings.home / "plans" / uuid4().hex
    asked = candidates(settings)
    settings = settings.model_copy(update={"data": pinned(settings.data, folder.name)})
    identity = fingerprint(settings.data)
    feature_set = str(settings.feature_set(identity))
    terminal, cost, limit = Terminal(Console(stderr=True)), Cost(), settings.launcher.timeout_seconds
    with terminal.shown():
        if not settings.feature_set(identity).joinpath("manifest.json").exists():
            terminal.start("prepare")
            request = to_prepare(settings, folder, feature_set, identity)
            run_engine(PREPARE, request, PrepareResult, watch=terminal.progress, cost=cost, timeout_seconds=limit)
            terminal.finish(feature_set)
        terminal.start("plan")
        wanted = to_plan(settings, folder, feature_set, asked)
        result = run_engine(PLAN, wanted, PlanResult, watch=terminal.progress, cost=cost, timeout_seconds=limit)
        terminal.finish(f"{len(asked)} strategies")
    return table(judge(settings, result), unsuited(settings, result), auto=settings.strategy.name == "auto")
