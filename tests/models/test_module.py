"""What Lightning asks of a learner."""

from types import SimpleNamespace
from typing import Any

import torch
from torch.distributed.device_mesh import DeviceMesh

from conf.manifest import read_manifest
from models import networks
from models.module import Learner
from models.networks.network import Network
from models.parallel.parallelism import Forward, Parallelism
from tests.models import launch


class Seen(Parallelism[Any]):
    """Sees where parameters are when it wraps them."""

    devices: tuple[str, ...] = ()

    def wrap(self, network: Network, mesh: DeviceMesh | None) -> Forward:  # noqa: ARG002 -- as a strategy has it
        """Note where parameters are."""
        self.devices += tuple({parameter.device.type for parameter in network.parameters()})
        return network


def test_parameters_are_where_they_stay_before_they_are_wrapped(feature_set: Any) -> None:
    wanted, manifest = launch.request(feature_set, feature_set / "placed"), read_manifest(str(feature_set))
    seen = Seen(wanted.strategy, 1)
    network = networks.build(wanted.model, manifest)
    learner = Learner(network, manifest, wanted.optimizer, seen, steps=1, gradient_clip=None, seed=1)
    learner.trainer = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("meta")))  # type: ignore[assignment]
    for _ in range(2):  # Lightning may call it several times
        learner.configure_model()
    assert seen.devices == ("meta",)  # else DDP would lose its hooks when they move
