"""The `franklin` command."""

import json
import signal
import threading
from importlib import metadata
from typing import Annotated

import typer
from rich.console import Console

from conf.checkpoints import check_resume
from conf.compose import default_home, dump, groups
from conf.schema import Settings
from flows.errors import errors_for_people
from flows.selection import settled

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Experiment = Annotated[str, typer.Argument(help="a name under conf/experiment, or a YAML file of your own table")]
Overrides = Annotated[list[str] | None, typer.Argument(help="group=choice or key=value", metavar="KEY=VALUE")]
Debug = Annotated[bool, typer.Option("--debug", help="show tracebacks")]


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(metadata.version("franklin"))
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="print franklin's version", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Spark and Lightning as one thing: prepare, tune, train, judge and register a model in one command."""


@app.command()
def run(
    experiment: Experiment,
    overrides: Overrides = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="print the run summary as the last line")] = False,
    debug: Debug = False,
) -> None:
    """Run the pipeline here and now."""
    with errors_for_people(debug=debug):
        settings = settled(experiment, overrides or [])
        from models.parallel.room import ranks_of

        ranks_of(settings)  # a mistake is told before anything starts
        check_resume(settings)
        from flows.local import run_here

        summary = run_here(experiment, settings, overrides or [], Console())
        if as_json:
            typer.echo(summary.model_dump_json())


@app.command()
def select(
    experiment: Experiment,
    overrides: Overrides = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="print the outcome as the last line")] = False,
    debug: Debug = False,
) -> None:
    """Compare candidates from the simplest up, within budget_seconds=, and say which one to take and why."""
    with errors_for_people(debug=debug):
        from flows.contestants import contest_settings, networks, spelt

        words = spelt(overrides or [])
        settings = contest_settings(experiment, words)
        networks(experiment, words, settings)  # a mistake is told before anything starts
        from flows.local import select_here

        found = select_here(experiment, settings, words, Console())
        if as_json:
            typer.echo(found.model_dump_json())


@app.command()
def choose(
    letter: Annotated[str, typer.Argument(help="of the candidate, as the report of a blind contest has it")],
    *,
    run: Annotated[
        str | None, typer.Option(help="MLflow run or folder of the contest; the newest that waits for a choice")
    ] = None,
    debug: Debug = False,
) -> None:
    """End a blind contest: record what was chosen and when, and show the names."""
    with errors_for_people(debug=debug):
        from flows.choose import choose as end
        from flows.leaderboard import say_chosen

        say_chosen(*end(letter, run, default_home()), Console())


@app.command()
def config(
    experiment: Annotated[str | None, typer.Argument(help="as for run; without one, every group and choice")] = None,
    overrides: Overrides = None,
    *,
    schema: Annotated[bool, typer.Option("--schema", help="print the JSON Schema instead")] = False,
) -> None:
    """Print the configuration that a run would have."""
    with errors_for_people(debug=False):
        if schema:
            typer.echo(json.dumps(Settings.model_json_schema(), indent=2))
        elif experiment is None:
            for group, choices in groups().items():
                typer.echo(f"{group}: {', '.join(choices)}")
        else:
            typer.echo(dump(settled(experiment, overrides or [])), nl=False)


@app.command()
def plan(experiment: Experiment, overrides: Overrides = None, *, debug: Debug = False) -> None:
    """Print what each strategy would take, without training; the data is prepared if it has not been."""
    with errors_for_people(debug=debug):
        settings = settled(experiment, overrides or [])
        from flows.planning import plans

        Console().print(plans(settings))


@app.command()
def sample(
    prompt: Annotated[str, typer.Argument(help="what to go on from")],
    *,
    model: Annotated[str, typer.Option(help="of a text, in MLflow")] = "models:/text@champion",
    length: Annotated[int, typer.Option(help="characters to write", min=1)] = 400,
    temperature: Annotated[float, typer.Option(help="0: always the likeliest", min=0)] = 0.8,
    seed: Annotated[int, typer.Option(help="another one writes otherwise")] = 1,
    debug: Debug = False,
) -> None:
    """Have a model of a text write on where a prompt ends."""
    with errors_for_people(debug=debug):
        from flows.sample import written

        drawn = written(prompt, model, default_home(), length=length, temperature=temperature, seed=seed)
        typer.echo(prompt, nl=False)
        for character in drawn:
            typer.echo(character, nl=False)
        typer.echo()


@app.command()
def join(
    first: Annotated[
        str, typer.Argument(help="launcher.address of the machine where `franklin run` is", metavar="HOST:PORT")
    ],
    *,
    address: Annotated[str | None, typer.Option(help="at which the others reach this machine")] = None,
    debug: Debug = False,
) -> None:
    """Lend this machine to the trainings of another one (launcher.nodes over 1), until Ctrl-C."""
    with errors_for_people(debug=debug):
        from flows.join import lend

        lend(first, address, default_home(), say=typer.echo)


@app.command()
def doctor() -> None:
    """Look at this machine: what is there, what is missing, and how to mend it."""
    with errors_for_people(debug=False):
        from flows.doctor import examine

        status = examine()
    raise typer.Exit(status)


@app.command()
def up(
    *,
    prefect_port: Annotated[int, typer.Option(help="port of the Prefect server")] = 4200,
    mlflow_port: Annotated[int, typer.Option(help="port of the MLflow UI")] = 5000,
    debug: Debug = False,
) -> None:
    """Start the Prefect server, the MLflow UI and a worker, and register the deployments; Ctrl-C ends all."""
    with errors_for_people(debug=debug):
        from flows.up import servers

        ended = threading.Event()
        with servers(default_home(), prefect_port, mlflow_port, say=lambda line: typer.echo(line, err=True)) as running:
            for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                if name != signal.SIGHUP or signal.getsignal(name) is not signal.SIG_IGN:  # as under nohup
                    signal.signal(name, lambda *_: ended.set())
            typer.echo(f"Prefect  {running.prefect}")
            typer.echo(f"MLflow   {running.mlflow}")
            typer.echo(
                f"run one  PREFECT_API_URL={running.prefect}/api prefect deployment run 'pipeline/flights-delay'"
            )
            typer.echo("Ctrl-C ends all of them.", err=True)
            running.wait(ended)


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
