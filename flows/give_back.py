"""Schedule anew what an earlier worker of a pool had taken and never begun: `python -m flows.give_back POOL`."""

import sys

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import StateType
from prefect.states import Scheduled


def give_back(pool: str) -> None:
    """Schedule the pool's flow runs that are PENDING; no worker of it may be running."""
    taken = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PENDING])))
    ours = WorkPoolFilter(name=WorkPoolFilterName(any_=[pool]))
    with get_client(sync_client=True) as prefect:
        for run in prefect.read_flow_runs(flow_run_filter=taken, work_pool_filter=ours):
            prefect.set_flow_run_state(run.id, Scheduled(), force=True)


if __name__ == "__main__":
    give_back(*sys.argv[1:])
