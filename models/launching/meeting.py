"""Where the agents of all machines find one another."""

from uuid import uuid4

from torch.distributed.elastic.rendezvous import RendezvousHandler, RendezvousParameters
from torch.distributed.elastic.rendezvous.c10d_rendezvous_backend import create_backend
from torch.distributed.elastic.rendezvous.dynamic_rendezvous import create_handler

from conf.launchers import Torchrun
from models.launching.address import check_address

ALONE = "127.0.0.1:0"


def open_meeting(launcher: Torchrun) -> RendezvousHandler:
    """Open the meeting of a training at this machine's address.

    Raises:
        FranklinError: the address is not to be had.

    """
    check_address(launcher)
    endpoint = launcher.address or ALONE
    parameters = RendezvousParameters(
        backend="c10d",
        endpoint=endpoint,
        run_id=uuid4().hex,
        min_nodes=launcher.nodes,
        max_nodes=launcher.nodes,
        local_addr=endpoint.rpartition(":")[0],
        is_host=True,
        join_timeout=launcher.wait_seconds,
    )
    backend, store = create_backend(parameters)
    return create_handler(store, backend, parameters)
