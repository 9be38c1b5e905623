"""Where the agents of all machines find one another, and what training they are about."""

import json
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from torch.distributed import DistError, TCPStore  # type: ignore[attr-defined]  # not told to be exported
from torch.distributed.elastic.rendezvous import RendezvousHandler, RendezvousParameters
from torch.distributed.elastic.rendezvous.c10d_rendezvous_backend import create_backend
from torch.distributed.elastic.rendezvous.dynamic_rendezvous import create_handler

from conf.launchers import Torchrun
from models.launching.address import check_address
from models.parallel.world import count_gpus

ALONE = "127.0.0.1:0"
OFFER = "offer"  # key of what the first machine says
KNOCK_SECONDS = 1.0


class Offer(NamedTuple):
    """A training that other machines may join.

    Attributes:
        run_id: of this launch.
        path: its request, in a folder that all machines see.
        gpus: those of the first machine.

    """

    run_id: str
    path: str
    gpus: int


def open_meeting(launcher: Torchrun, path: Path) -> RendezvousHandler:
    """Open the meeting of a training, whose request is at `path`, at this machine's address.

    Raises:
        FranklinError: the address is not to be had.

    """
    check_address(launcher)
    address = launcher.address or ALONE
    offer = Offer(uuid4().hex, str(path.absolute()), count_gpus())
    meeting, store = _meet(launcher, address, offer.run_id, address.rpartition(":")[0], is_host=True)
    store.set(OFFER, json.dumps(offer._asdict()))
    return meeting


def find_offer(address: str) -> Offer:
    """Wait until the first machine has a training on offer."""
    host, _, port = address.rpartition(":")
    while True:
        with suppress(OSError, DistError):  # DistError: of a store that goes again
            socket.create_connection((host, int(port)), KNOCK_SECONDS).close()
            return Offer(**json.loads(TCPStore(host, int(port), is_master=False).get(OFFER)))
        time.sleep(KNOCK_SECONDS)


def join_meeting(launcher: Torchrun, address: str, offer: Offer, own: str) -> RendezvousHandler:
    """Join the meeting of the training on offer at `address`, as the machine that others reach at `own`."""
    return _meet(launcher, address, offer.run_id, own, is_host=False)[0]


def _meet(launcher: Torchrun, address: str, run_id: str, own: str, *, is_host: bool) -> tuple[RendezvousHandler, Any]:
    parameters = RendezvousParameters(
        backend="c10d",
        endpoint=address,
        run_id=run_id,
        min_nodes=launcher.nodes,
        max_nodes=launcher.nodes,
        local_addr=own,
        is_host=is_host,
        join_timeout=launcher.wait_seconds,
    )
    backend, store = create_backend(parameters)
    return create_handler(store, backend, parameters), store
