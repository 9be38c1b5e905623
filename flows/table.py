"""The short table at the end of a run."""

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.summary import Summary


def show(summary: Summary, console: Console, mlflow: str | None) -> None:
    """Print the metrics beside the baseline, what each stage took, and where to look (`mlflow`: a server's address)."""
    rows = summary.rows
    console.print()
    console.print(
        f"{summary.experiment}: {summary.strategy} over {summary.world_size} "
        f"rank{'s' * (summary.world_size > 1)}; {rows['train']:,} train, {rows['validation']:,} validation and "
        f"{rows['test']:,} test rows; {rows['set_aside']:,} set aside, {rows['quarantined']:,} quarantined",
        highlight=False,
        markup=False,
        style="bold",
    )
    console.print(_metrics(summary))
    console.print(Text(f"Intervals: bootstrap of {summary.intervals_by['test']}.", style="dim"), soft_wrap=True)
    console.print(_stages(summary))
    where = (
        f"{mlflow}/#/runs/{summary.run_id}" if mlflow else f"run {summary.run_id}; `franklin up` starts the MLflow UI"
    )
    for name, text in (
        ("model", f"{summary.model_uri}, {summary.alias}: {summary.decision}"),
        ("look", where),
        ("logs", summary.run_folder),
    ):
        console.print(Text(f"{name:<6} {text}", style="default"), soft_wrap=True)


def _metrics(summary: Summary) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("metric on test", "model", "95 % interval", "baseline"):
        table.add_column(heading, justify="left" if heading.startswith("metric") else "right")
    for name, estimate in summary.metrics["test"].items():
        interval = f"{estimate.low:.4f} to {estimate.high:.4f}"
        table.add_row(name, f"{estimate.value:.4f}", interval, f"{summary.baseline['test'][name]:.4f}")
    return table


def _stages(summary: Summary) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("stage", "seconds", "processor s", "peak memory"):
        table.add_column(heading, justify="left" if heading == "stage" else "right")
    for name, seconds in summary.seconds.items():
        if name in summary.cached:
            table.add_row(name, "reused", "", "")
        else:
            peak = f"{summary.peak_memory_bytes[name] / 2**20:,.0f} MiB"
            table.add_row(name, f"{seconds:.1f}", f"{summary.processor_seconds[name]:.1f}", peak)
    return table
