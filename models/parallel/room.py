"""How many ranks a run gets, by all that its settings say; asked before any rank runs, so without torch."""

from conf.errors import FranklinError
from conf.launchers import Torchrun
from conf.networks import Cnn, Selected, most_stages
from conf.schema import Settings
from conf.spark import Cluster
from conf.strategies import Pipeline, Tensor
from models.launching.address import check_address
from models.parallel.world import Room, machines, world_size


def ranks_of(settings: Settings) -> int:
    """Count the ranks of a run's training.

    Raises:
        FranklinError: its launcher cannot start so many, its strategy, network or batch does not suit them, or the rank
            that is to be slow is none of them.

    """
    if isinstance(settings.model, Selected):
        return _alone(settings)
    if isinstance(settings.launcher, Torchrun):
        check_address(settings.launcher)
    room = room_of(settings)
    if settings.trainer.accelerator == "gpu" and room.gpus is False:
        raise FranklinError("trainer.accelerator=gpu: this machine has no GPU; take trainer.accelerator=auto")
    ranks = world_size(settings.strategy, settings.feed.batch_size, room)
    _check_network(settings, ranks)
    if settings.strategy.name != "auto":  # which has yet to be chosen
        settings.fault.check(ranks)
    return ranks


def _alone(settings: Settings) -> int:
    """See that nothing is asked of a selected candidate that only networks can do."""
    launcher, tuner = settings.launcher, settings.tuner
    who = f"model=selected is {getattr(settings.model, 'candidate', None) or 'no network'}, fitted in one process"
    if settings.strategy.name != "single":
        raise FranklinError(f"{who}: strategy={settings.strategy.name} is for networks; say strategy=single")
    if not isinstance(launcher, Torchrun) or launcher.nodes > 1:
        raise FranklinError(f"{who}: it takes launcher=torchrun and launcher.nodes=1")
    if tuner.name != "none":
        raise FranklinError(f"{who}: tuner={tuner.name} is for networks, and the contest has tried settings already")
    return 1


def _check_network(settings: Settings, ranks: int) -> None:
    """See what can be seen without the feature set; the strategy itself looks at the network later (`inspect`)."""
    strategy, model = settings.strategy, settings.model
    if isinstance(model, Selected):
        raise TypeError("a selected candidate has no ranks")
    if isinstance(strategy, Tensor) and isinstance(model, Cnn):
        raise FranklinError("strategy=tensor: model=cnn has no block that can be split; choose strategy=fsdp or ddp")
    if isinstance(strategy, Pipeline) and (stages := strategy.stages(ranks)) > (most := most_stages(model)):
        each = stages // ranks
        way = f"world_size={most // each}" if each <= most else f"stages_per_rank={max(1, most // ranks)}"
        raise FranklinError(
            f"strategy=pipeline: model={model.name} has {most} parts at most, too few for {stages} stages; "
            f"take strategy.{way}"
        )


def room_of(settings: Settings) -> Room:
    """What the launcher puts ranks on."""
    if isinstance(settings.launcher, Torchrun):
        return machines(settings.launcher.nodes)
    if not isinstance(settings.spark, Cluster):
        raise TypeError(f"spark={settings.spark.name} has no executors")
    executors = settings.spark.executors
    return Room(executors, f"spark.executors={executors}", fill=True)
