"""How many ranks a run gets, by all that its settings say; asked before any rank runs, so without torch."""

from conf.errors import FranklinError
from conf.launchers import Torchrun
from conf.schema import Settings
from conf.spark import Cluster
from models.launching.address import check_address
from models.parallel.world import Room, machines, world_size


def ranks_of(settings: Settings) -> int:
    """Count the ranks of a run's training.

    Raises:
        FranklinError: its launcher cannot start so many, or its strategy or batch does not suit them.

    """
    if isinstance(settings.launcher, Torchrun):
        check_address(settings.launcher)
    room = room_of(settings)
    if settings.trainer.accelerator == "gpu" and room.gpus is False:
        raise FranklinError("trainer.accelerator=gpu: this machine has no GPU; take trainer.accelerator=auto")
    return world_size(settings.strategy, settings.feed.batch_size, room)


def room_of(settings: Settings) -> Room:
    """What the launcher puts ranks on."""
    if isinstance(settings.launcher, Torchrun):
        return machines(settings.launcher.nodes)
    if not isinstance(settings.spark, Cluster):
        raise TypeError(f"spark={settings.spark.name} has no executors")
    executors = settings.spark.executors
    return Room(executors, f"spark.executors={executors}", fill=True)
