"""The command line.  What takes long to import is imported by the command that needs it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NoReturn

import typer

from app.cli_keys import app as keys_app

if TYPE_CHECKING:
    from analyzers.options import Options
    from analyzers.report import Report
    from app.errors import Problem
    from app.worker.messages import ProgressMessage

FINE, FOUND, UNUSABLE, FAILED = 0, 1, 2, 3
"""Exit codes: fine; a level at or over --fail-on; the file or the options cannot be used; we failed."""

CONFIG: Final = "unstuck.toml"
KEY: Final = "UNSTUCK_API_KEY"
"""Environment variable with the API key for --server; a flag would show in every list of processes."""
_TABLE: Final = "diagnose"
_OWN: Final = {"format": "text", "fail_on": "error", "server": None}
"""What the table may hold beside the options of a diagnosis, with defaults."""

Format = Literal["text", "json", "markdown", "html", "sarif", "junit"]
FailOn = Literal["error", "warning", "never"]
_FAILING: Final[dict[str, frozenset[str]]] = {
    "error": frozenset({"error"}),
    "warning": frozenset({"error", "warning"}),
    "never": frozenset(),
}

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Why a saved Keras model will not train, and the smallest change that was shown to make it converge.",
)
app.add_typer(keys_app, name="keys", help="API keys: who may call the service, and what for.")


def main() -> None:
    """Entry point of the ``unstuck`` command."""
    app()


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(f"unstuck: {message}", err=True)
    raise typer.Exit(code)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on [127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one [8000].")] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder for everything that is kept [unstuck-data].")
    ] = None,
) -> None:
    """Run the whole service on this machine: API, pages, worker."""
    from pydantic import ValidationError  # noqa: PLC0415

    from app.serve import RefusedError  # noqa: PLC0415
    from app.serve import serve as run  # noqa: PLC0415
    from app.settings import Settings  # noqa: PLC0415
    from app.worker.sandbox import WeakSandboxError  # noqa: PLC0415

    chosen = {"host": host, "port": port, "data": data}
    try:
        run(Settings.model_validate({name: value for name, value in chosen.items() if value is not None}))
    except (RefusedError, WeakSandboxError, ValidationError, OSError) as error:
        _fail(str(error), FAILED)


@app.command()
def worker(
    lanes: Annotated[
        list[str] | None, typer.Argument(metavar="[LANE]...", help="probe, static [both].")
    ] = None,
) -> None:
    """Run jobs on this machine for a service whose broker UNSTUCK_BROKER_URL names."""
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415

    from app.jobs.lanes import LANES, Lane  # noqa: PLC0415
    from app.settings import Settings  # noqa: PLC0415
    from app.worker.host import NoBrokerError, work  # noqa: PLC0415
    from app.worker.sandbox import WeakSandboxError  # noqa: PLC0415

    try:
        work(Settings(), TypeAdapter(list[Lane]).validate_python(lanes or list(LANES)))
    except (NoBrokerError, WeakSandboxError, ValidationError, OSError) as error:
        _fail(str(error), FAILED)


@app.command()
def migrate(
    data: Annotated[Path | None, typer.Option(help="Folder of the service [unstuck-data].")] = None,
) -> None:
    """Bring the database up to date, as `serve` does when it starts."""
    from pydantic import ValidationError  # noqa: PLC0415
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415

    from app.settings import Settings  # noqa: PLC0415
    from app.store import open_store  # noqa: PLC0415

    try:
        store = open_store(Settings() if data is None else Settings(data=data))
        store.database.migrate()
        store.database.close()
    except DBAPIError as error:
        _fail(f"the database does not answer: {error.orig}", FAILED)
    except (ValidationError, OSError) as error:
        _fail(str(error), FAILED)


@app.command()
def diagnose(  # noqa: PLR0917 - typer makes a flag of each
    file: Annotated[Path, typer.Argument(help="The model, as model.save() wrote it (.keras or .h5).")],
    format: Annotated[Format | None, typer.Option(help="How to write the report [text].")] = None,  # noqa: A002
    output: Annotated[Path | None, typer.Option(help="Where to write it [standard output].")] = None,
    fail_on: Annotated[
        FailOn | None, typer.Option(help="Level of the report from which the exit code is 1 [error].")
    ] = None,
    server: Annotated[
        str | None, typer.Option(help="Have this server do it (http://...); its API key in UNSTUCK_API_KEY.")
    ] = None,
    repaired: Annotated[Path | None, typer.Option(help="Where to write the repaired model.")] = None,
    input_range: Annotated[
        str | None, typer.Option(help="Scale of the real inputs: auto, 0-255, 0-1, -1-1, standardized.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help="What it is trained for: auto, classification, regression, reconstruction."),
    ] = None,
    target_range: Annotated[
        str | None, typer.Option(help="Lowest and highest target of a model that predicts numbers: LOW,HIGH.")
    ] = None,
    loss: Annotated[str | None, typer.Option(help="Keras loss that replaces the file's.")] = None,
    optimizer: Annotated[str | None, typer.Option(help="Keras optimizer that replaces the file's.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Rate that replaces the file's.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Batch size of the real training.")] = None,
    probe: Annotated[str | None, typer.Option(help="auto, or off to judge without training.")] = None,
    budget_s: Annotated[float | None, typer.Option(help="Seconds of training that may be used.")] = None,
    ignore: Annotated[str | None, typer.Option(help="Rule ids not to count, separated by commas.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of every random draw.")] = None,
) -> None:
    """Diagnose a model file.

    Exit code: 0 fine, 1 the report's level is at or over --fail-on, 2 the file or an option cannot be
    used, 3 internal error, or a server that stays too busy.  Options are also read from the [diagnose] table of ./unstuck.toml.
    """
    from analyzers.report import level  # noqa: PLC0415
    from app.reports import formats  # noqa: PLC0415

    flags: dict[str, Any] = {
        "format": format, "fail_on": fail_on, "server": server, "input_range": input_range, "task": task,
        "target_range": target_range, "loss": loss,
        "optimizer": optimizer, "learning_rate": learning_rate, "batch_size": batch_size, "probe": probe,
        "budget_s": budget_s, "ignore": ignore, "seed": seed,
    }  # fmt: skip
    own, options = _configure(flags)
    report = _diagnose(file, options, own["server"], repaired)
    text = formats.render(report, own["format"])
    if output is None:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
    else:
        output.write_text(text, encoding="utf-8")
    if level(report) in _FAILING[own["fail_on"]]:
        raise typer.Exit(FOUND)


def _configure(flags: dict[str, Any]) -> tuple[dict[str, Any], Options]:
    """What ``unstuck.toml`` and, over it, the flags say: our own settings and the options."""
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415

    from analyzers.options import Options  # noqa: PLC0415

    merged = _OWN | _read_table() | {name: value for name, value in flags.items() if value is not None}
    if isinstance(merged.get("ignore"), str):
        merged["ignore"] = [rule.strip() for rule in merged["ignore"].split(",") if rule.strip()]
    own = {name: merged.pop(name) for name in _OWN}
    try:
        TypeAdapter(Format).validate_python(own["format"])
        TypeAdapter(FailOn).validate_python(own["fail_on"])
        return own, Options.model_validate(merged)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, item['loc'])) or 'option'}: {item['msg']}" for item in error.errors()]
        _fail("; ".join(lines), UNUSABLE)


def _read_table() -> dict[str, Any]:
    import tomllib  # noqa: PLC0415

    path = Path(CONFIG)
    if not path.is_file():
        return {}
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get(_TABLE, {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        _fail(f"{CONFIG}: {error}", UNUSABLE)
    return {name.replace("-", "_"): value for name, value in table.items()}


def _diagnose(path: Path, options: Options, server: str | None, repaired: Path | None) -> Report:
    from app import client, local  # noqa: PLC0415
    from app.errors import Problem  # noqa: PLC0415
    from app.worker.sandbox import WeakSandboxError  # noqa: PLC0415

    try:
        with _progress_bar() as progress:
            if server is not None:
                key = os.environ.get(KEY)
                return client.diagnose(server, path, options, key=key, repaired=repaired, progress=progress)
            return local.diagnose(path, options, repaired=repaired, progress=progress, faulty=_show_trace)
    except Problem as problem:
        _fail(_sentence(problem), UNUSABLE if problem.blames_sender else FAILED)
    except OSError as error:
        _fail(f"{error.filename or path}: {error.strerror or error}", UNUSABLE)
    except (client.ServerError, WeakSandboxError) as error:
        _fail(str(error), FAILED)


def _sentence(problem: Problem) -> str:
    from app.reports import clean  # noqa: PLC0415

    fields = "".join(f" {error.field}: {error.message}." for error in problem.errors or ())
    detail = f" ({problem.detail})" if problem.detail else ""
    refused = problem.kind == "request" and not problem.blames_sender
    whose = "the server does not take the file now, whatever is in it: " if refused else ""
    return clean.prose(f"{whose}{problem.title}{detail}{fields} [{problem.code}]")


def _show_trace(trace: str) -> None:
    from app.reports import clean  # noqa: PLC0415

    typer.echo(clean.code(trace), err=True)


@contextmanager
def _progress_bar() -> Iterator[Callable[[ProgressMessage], None]]:
    """A bar on a terminal; nothing where nobody is watching."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    from app.reports import clean  # noqa: PLC0415

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=1.0)

        def show(message: ProgressMessage) -> None:
            bar.update(task, completed=message.fraction, description=clean.name(message.message, 70))

        yield show


@app.command()
def rules(rule: Annotated[str | None, typer.Argument(metavar="[ID]", help="A rule's id.")] = None) -> None:
    """List the rules, or show one's documentation."""
    import inspect  # noqa: PLC0415

    from analyzers.registry import RULES  # noqa: PLC0415

    if rule is None:
        width = max(map(len, RULES))
        for name, known in RULES.items():
            typer.echo(f"{name:{width}}  {known.title}")
    elif rule in RULES:
        typer.echo(f"{rule}: {RULES[rule].title}\n\n{inspect.getdoc(type(RULES[rule]))}")
    else:
        _fail(f"there is no rule {rule!r}; `unstuck rules` lists them", UNUSABLE)


@app.command()
def version() -> None:
    """Tell the versions of unstuck and of what it trains with."""
    from importlib.metadata import version as installed  # noqa: PLC0415

    typer.echo(
        f"unstuck {installed('unstuck')}, Keras {installed('keras')}, TensorFlow {installed('tensorflow')}"
    )


if __name__ == "__main__":
    main()
