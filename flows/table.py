"""The short table at the end of a run."""

from rich import box
from rich.console import Console
from rich.table import Table

from conf.schema import Settings
from flows.summary import Summary


def show(summary: Summary, settings: Settings, console: Console) -> None:
    """Print the metrics beside the baseline, what each stage took, and where to look."""
    rows = summary.rows
    console.print()
    console.print(
        f"[bold]{summary.experiment}[/bold]  {summary.strategy} over {summary.world_size} "
        f"rank{'s' * (summary.world_size > 1)}; {rows['train']:,} train, {rows['validation']:,} validation and "
        f"{rows['test']:,} test rows; {rows['set_aside']:,} set aside, {rows['quarantined']:,} quarantined",
        highlight=False,
    )
    console.print(_metrics(summary))
    console.print(_stages(summary))
    console.print(f"[bold]model[/bold]  {summary.model_uri}, {summary.alias}: {summary.decision}", highlight=False)
    console.print(f"[bold]look[/bold]   `franklin up`, then the MLflow run {summary.run_id}", highlight=False)
    console.print(f"[bold]logs[/bold]   {settings.home / 'runs'}", highlight=False, soft_wrap=True)


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
