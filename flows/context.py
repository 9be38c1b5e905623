"""What the stages of one flow run share, and the frame in which each of them runs."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from conf.exchange import Request
from conf.schema import Settings, Strict
from flows.display import Display
from flows.processes import Finished, Progress, run_engine
from flows.tracking import Tracker

R = TypeVar("R", bound=Strict)


class Cost:
    """What the engines of one stage took, added up; the peak is the largest."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.seconds = 0.0
        self.processor_seconds = 0.0
        self.peak_memory_bytes = 0

    def add(self, finished: Finished[R]) -> R:
        """Count an engine in; returns its result."""
        self.seconds += finished.seconds
        self.processor_seconds += finished.processor_seconds
        self.peak_memory_bytes = max(self.peak_memory_bytes, finished.peak_memory_bytes)
        return finished.result


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
                yield stage
                below.record(
                    {
                        "seconds": cost.seconds,
                        "processor_seconds": cost.processor_seconds,
                        "peak_memory_bytes": cost.peak_memory_bytes,
                    },
                    tags={"reused": str(name in self.reused).lower()},
                )
        except BaseException:
            self.display.fail()
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
        return self.cost.add(run_engine(command, request, result, watch=watch or self.show, timeout_seconds=timeout))

    def show(self, progress: Progress) -> None:
        """Show the person how far the stage is."""
        self.context.display.progress(progress)
