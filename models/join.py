"""Lending this machine to trainings of another one: `python -m models.join HOST:PORT [ADDRESS]`, until it is ended."""

import signal
import sys
import time
from pathlib import Path

from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.rendezvous import RendezvousError

from conf.errors import FranklinError
from conf.exchange import ERROR_MARK, TrainRequest
from conf.launchers import Torchrun
from models.launching.address import address_towards
from models.launching.agent import run_ranks, torchrun
from models.launching.meeting import Offer, find_offer, join_meeting
from models.parallel.world import count_gpus

PAUSE_SECONDS = 1.0


def join(address: str, own: str | None) -> None:
    """Take part in one training after the other that the machine at `address` has on offer.

    Args:
        address: HOST:PORT, the launcher's address of that machine.
        own: where the others reach this one; None: the address that it has in the same network.

    Raises:
        FranklinError: this machine is no match for the first one.

    """
    done = ""
    while True:
        offer = find_offer(address)
        if offer.run_id == done:
            time.sleep(PAUSE_SECONDS)
            continue
        done = offer.run_id
        request, launcher = _asked(offer)
        say(f"joins the training of {request.run_folder}")
        here = own or address_towards(address)
        try:
            run_ranks(request, Path(offer.path), join_meeting(launcher, address, offer, here), here, first=False)
        except (FranklinError, RendezvousError) as error:
            say(f"has left it: {error}")
        else:
            say("has done its part")


def _asked(offer: Offer) -> tuple[TrainRequest, Torchrun]:
    if not Path(offer.path).is_file():
        raise FranklinError(f"{offer.path} is not here: set home to a folder that all machines see under one path")
    request = TrainRequest.model_validate_json(Path(offer.path).read_text(encoding="utf-8"))
    launcher = torchrun(request)
    ranks, gpus = request.world_size // launcher.nodes, count_gpus()
    if (offer.gpus and gpus < ranks) or (gpus and not offer.gpus):
        raise FranklinError(
            f"the first machine has {offer.gpus} GPUs and {ranks} ranks, this one has {gpus} GPUs: "
            "take machines alike, or set CUDA_VISIBLE_DEVICES"
        )
    return request, launcher


def say(what: str) -> None:
    """Tell a person."""
    sys.stdout.write(f"this machine {what}\n")
    sys.stdout.flush()


def main() -> None:
    """Join what the command line names."""
    try:
        join(sys.argv[1], next(iter(sys.argv[2:]), None))
    except FranklinError as error:
        sys.stdout.write(f"{ERROR_MARK}{error}\n")
        sys.exit(1)
    except SignalException as asked:
        sys.exit(128 + signal.Signals(asked.sigval))


if __name__ == "__main__":
    main()
