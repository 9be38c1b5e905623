"""What the stages of one flow run share, and the frame in which each of them runs."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from conf.exchange import Request
from conf.schema import Settings
from conf.strict import Strict
from flows.display import Display
from flows.processes import Cost, Progress, run_engine
from flows.tracking import Tracker

R = TypeVar("R", bound=Strict)


class Context:
    """One flow run: its settings, its folder, its MLflow run, its display, and what each stage has cost so far."""

    def __init__(self, settings: Settings, folder: Path, tracker: Tracker, display: Display) -> None:
        """Begin with no stage done."""
        self.settings, self.folder, self.tracker, self.display = settings, folder, tracker, display
        self.costs: dict[str, Cost] = {}
        self.reused: list[str] = []

    @contextmanager
    def stage(self, name: str) -> Iterator["Stage"]:
        """Run a stage: shown to the person, recorded as a nested MLflow run with its cost, closed whatever happens."""
        cost = self.costs.setdefault(name, Cost())
        self.display.start(name)
        try:
            with self.tracker.nested(name, {"stage": name}) as below:
                stage = Stage(self, cost, below)
                try:
                    yield stage
                finally:
                    below.record(vars(cost), tags={"reused": str(name in self.reused).lower()})
        except BaseException as error:
            self.display.fail("failed" if isinstance(error, Exception) else "cancelled")
            raise
        self.display.finish(stage.note)


class Stage:
    """A stage at work."""

    def __init__(self, context: Context, cost: Cost, tracker: Tracker) -> None:
        """Belongs to `context`; `tracker` is the stage's own nested run."""
        self.context, self.cost, self.tracker = context, cost, tracker
        self.note = ""

    def run(
        self,
        command: Sequence[str],
        request: Request,
        result: type[R],
        watch: Callable[[Progress], None] | None = None,
    ) -> R:
        """Run an engine, show its progress (or give it to `watch`), count its cost."""
        timeout = self.context.settings.launcher.timeout_seconds
        watch = watch or self.show
        return run_engine(command, request, result, watch=watch, cost=self.cost, timeout_seconds=timeout)

    def show(self, progress: Progress) -> None:
        """Show the person how far the stage is."""
        self.context.display.progress(progress)
