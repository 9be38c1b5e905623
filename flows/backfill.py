"""The flow that goes over a range of days, so that a later run finds them read."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from prefect import flow, get_run_logger
from prefect.runtime import flow_run

from conf.compose import compose
from conf.exchange import LandResult
from flows.display import Log
from flows.engines import LAND, to_land
from flows.processes import Cost, run_engine


def run_name() -> str:
    """Name of the current flow run."""
    asked = flow_run.parameters
    return f"{Path(asked['experiment']).stem}-{asked['first']}-{asked['last']}"


@flow(name="backfill", flow_run_name=run_name, validate_parameters=True)
def backfill(experiment: str, first: date, last: date, overrides: Sequence[str] = ()) -> list[str]:
    """Read the days of a dataset that are new or have changed, one after the other; a killed run loses one day at most.

    Args:
        experiment: the path of a YAML file whose `day` names the folders of days.
        first: first day.
        last: last day, inclusive.
        overrides: further `group=choice` and `key=value`.

    """
    settings = compose(experiment, [*overrides, f"data.window={first}..{last}"])
    folder = settings.home / "runs" / str(flow_run.id)
    folder.mkdir(parents=True, exist_ok=True)
    shown, timeout = Log(get_run_logger()), settings.launcher.timeout_seconds
    shown.start("backfill")
    request = to_land(settings, folder)
    result = run_engine(LAND, request, LandResult, watch=shown.progress, cost=Cost(), timeout_seconds=timeout)
    shown.finish(f"{len(result.days)} days, {result.days[0]} to {result.days[-1]}")
    return [str(day) for day in result.days]
