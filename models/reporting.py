"""What rank 0 tells while training runs: progress to the flow, metrics to MLflow."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, cast

from lightning.pytorch import Callback, LightningModule, Trainer

from conf.exchange import Plan, Track, progress

SECONDS_BETWEEN = 0.25


class Feed(Protocol):
    """What a reporter asks of a feed."""

    @property
    def waited(self) -> float:
        """Seconds that whoever iterates has waited for batches."""


class Told(Protocol):
    """Who has metrics to tell after each epoch."""

    @property
    def metrics(self) -> Mapping[str, float]:
        """The newest ones."""


class Reporter(Callback):
    """Reports progress a few times a second, and metrics once an epoch.

    Attributes:
        metrics: of the last epoch: `train_loss`, `validation_loss`, `learning_rate`; over the epochs of this process,
            validation not counted: `rows_per_second` (train rows of all ranks) and `data_wait_share`, the share of
            the time in which this rank's steps waited for their batch. And those of whoever else has some.

    """

    def __init__(self, rows: int, total_steps: int, track: Track | None, plan: Plan, others: Sequence[Told]) -> None:
        """Report on a training with `rows` rows in an epoch and `total_steps` steps in all, and what others tell."""
        self.metrics: dict[str, float] = {"rows_per_second": 0.0, "data_wait_share": 0.0}
        self._rows = rows
        self._total_steps = total_steps
        self._journal = Journal(track) if track else None
        self._others = others
        if self._journal:
            self._journal.write({f"planned_{name}": value for name, value in costs(plan).items()}, 0)
        self._note = ""
        self._next_report = self._began = self._seconds = 0.0
        self._began_at_step = self._steps = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002 -- Lightning's
        """Start the clock; the epoch that a resumed training goes on with has no start of its own."""
        self._began, self._began_at_step = time.monotonic(), trainer.global_step

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self.on_train_start(trainer, pl_module)

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Report progress, but not more often than a person can see."""
        now = time.monotonic()
        if now >= self._next_report:
            self._next_report = now + SECONDS_BETWEEN
            rows = self._rows * trainer.global_step // self._steps_of_an_epoch(trainer)
            epoch = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}, {rows:,} rows"
            progress(trainer.global_step, self._total_steps, "steps", epoch + self._note)

    @staticmethod
    def _steps_of_an_epoch(trainer: Trainer) -> int:
        return -(-int(trainer.num_training_batches) // trainer.accumulate_grad_batches)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002 -- Lightning's
        """Stop the clock."""
        self._seconds += time.monotonic() - self._began
        self._steps += trainer.global_step - self._began_at_step

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002 -- Lightning's
        """Take the epoch's metrics and send them."""
        rows = self._rows * self._steps / self._steps_of_an_epoch(trainer)
        waited = cast("Feed", trainer.train_dataloader).waited
        self.metrics = {
            "train_loss": float(trainer.callback_metrics["train_loss"]),
            "validation_loss": float(trainer.callback_metrics["validation_loss"]),
            "learning_rate": float(trainer.optimizers[0].param_groups[0]["lr"]),
            "rows_per_second": rows / self._seconds if self._seconds else 0.0,
            "data_wait_share": waited / self._seconds if self._seconds else 0.0,
        }
        for other in self._others:
            self.metrics |= other.metrics
        self._note = f", validation loss {self.metrics['validation_loss']:.4g}"
        if self._journal:
            self._journal.write(self.metrics, trainer.current_epoch)

    def close(self, histograms: Mapping[str, Sequence[int]]) -> None:
        """Send histograms, as metrics whose step is what was counted; wait for all that is on its way to MLflow.

        Raises:
            MlflowException: the tracking server refused the metrics.

        """
        if self._journal:
            for name, counts in histograms.items():
                for number, count in enumerate(counts):
                    self._journal.write({name: count}, number)
            self._journal.close()


def costs(plan: Plan) -> dict[str, float]:
    """A plan as metrics."""
    numbers = plan.model_dump(exclude={"strategy", "world_size"})
    return {**numbers, "memory_bytes": plan.memory_bytes}


class Journal:
    """Writes into an MLflow run from a thread of its own: importing MLflow takes seconds and a server may be far."""

    def __init__(self, track: Track) -> None:
        """Begin to connect."""
        self._track = track
        self._client: Any = None
        self._thread = ThreadPoolExecutor(1)
        self._pending: list[Future[None]] = [self._thread.submit(self._connect)]

    def _connect(self) -> None:
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient(self._track.uri)

    def write(self, metrics: dict[str, float], step: int) -> None:
        """Queue one batch of metrics."""
        self._pending.append(self._thread.submit(self._write, metrics, step, int(time.time() * 1000)))

    def _write(self, metrics: dict[str, float], step: int, milliseconds: int) -> None:
        from mlflow.entities import Metric

        batch = [Metric(name, value, milliseconds, step) for name, value in metrics.items()]
        self._client.log_batch(self._track.run_id, metrics=batch)

    def close(self) -> None:
        """Wait until all is written."""
        self._thread.shutdown()
        for write in self._pending:
            write.result()
