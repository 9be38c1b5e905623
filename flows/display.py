"""What a person sees while a run goes on: a bar for each stage in a terminal, a line for each in a log."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from textwrap import TextWrapper
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

from flows.processes import Progress as Event


class Display(Protocol):
    """Somewhere to show stages."""

    def start(self, stage: str) -> None:
        """Begin a stage."""

    def progress(self, event: Event) -> None:
        """Show how far the stage is."""

    def finish(self, note: str) -> None:
        """End the stage, with what came of it."""

    def fail(self, how: str) -> None:
        """End the stage without a result: it `failed`, or was `cancelled`."""

    def say(self, line: str) -> None:
        """Tell something that the person should know."""


class Log:
    """One log line when a stage begins, one when it ends, one a minute between."""

    every_seconds = 60.0

    def __init__(self, logger: logging.Logger | logging.LoggerAdapter[logging.Logger]) -> None:
        """Write to `logger`."""
        self.logger = logger
        self.stage = ""
        self.last = 0.0

    def start(self, stage: str) -> None:
        """Begin a stage."""
        self.stage, self.last = stage, time.monotonic()
        self.logger.info("%s started", stage)

    def progress(self, event: Event) -> None:
        """Show how far the stage is."""
        if time.monotonic() - self.last > self.every_seconds:
            self.last = time.monotonic()
            self.logger.info("%s: %d of %d %s %s", self.stage, event.done, event.total, event.unit, event.note)

    def finish(self, note: str) -> None:
        """End the stage, with what came of it."""
        self.logger.info("%s done: %s", self.stage, note)

    def fail(self, how: str) -> None:
        """End the stage without a result: it `failed`, or was `cancelled`."""
        self.logger.error("%s %s", self.stage, how)

    def say(self, line: str) -> None:
        """Tell something that the person should know."""
        self.logger.warning(line)


class Terminal:
    """A bar while a stage runs, one line of what came of it once it has ended."""

    def __init__(self, console: Console) -> None:
        """Draw on `console`; without a terminal behind it only the lines are printed."""
        self.console = console
        self.stage = ""
        self.started = 0.0
        self.bar = Progress(
            TextColumn("{task.description:<9}", style="bold"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[amount]}", table_column=Column(no_wrap=True)),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            # The note takes what room is left, and is the one to be cut.
            TextColumn(
                "{task.fields[note]}",
                style="dim",
                markup=False,
                table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
            ),
            console=console,
            transient=True,
            expand=True,
        )
        self.task: TaskID | None = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Draw until the block ends."""
        if not self.console.is_terminal:
            yield
            return
        with self.bar:
            yield

    def start(self, stage: str) -> None:
        """Begin a stage."""
        if self.task is not None:
            self.bar.remove_task(self.task)
        self.stage, self.started = stage, time.monotonic()
        self.task = self.bar.add_task(stage, total=None, amount="", note="")

    def progress(self, event: Event) -> None:
        """Show how far the stage is."""
        if self.task is not None:
            amount = f"{event.done:,} / {event.total:,} {event.unit}" if event.total else ""
            self.bar.update(self.task, completed=event.done, total=event.total or None, amount=amount, note=event.note)

    def finish(self, note: str) -> None:
        """End the stage, with what came of it."""
        self._line("[green]✓[/green]", note)

    def fail(self, how: str) -> None:
        """End the stage without a result: it `failed`, or was `cancelled`."""
        self._line("[red]✗[/red]", how)

    def say(self, line: str) -> None:
        """Tell something that the person should know."""
        say(line, self.console)

    def _line(self, sign: str, note: str) -> None:
        if self.task is not None:
            self.bar.remove_task(self.task)
            self.task = None
            text = f"{self.stage:<9} {time.monotonic() - self.started:6.1f} s  {note}"
            self.console.print(f"{sign} {escape(text)}", highlight=False)


def say(line: str, console: Console, style: str = "") -> None:
    """Print a line; in a terminal one that is too long goes on below between words, so that a path can be copied."""
    wrapper = TextWrapper(console.width, break_long_words=False, break_on_hyphens=False)
    wrapper.subsequent_indent = " " * (len(line) - len(line.lstrip()) + 2)
    whole = "\n" in line or not console.is_terminal  # a table is wrapped already, and a log is searched by lines
    parts = [line] if whole else wrapper.wrap(line)
    for part in parts:
        console.print(Text(part, style), soft_wrap=True)


display: ContextVar[Display | None] = ContextVar("display", default=None)
"""Where a flow run shows itself; None: in its Prefect log."""
