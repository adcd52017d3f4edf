"""``dtst models``: show and prepare the model weights, so that no job has to download."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from dtst_flow.cli import settings
from dtst_flow.cli.help import EXAMPLES, Command, Group
from dtst_flow.models.errors import ModelError, ModelMissing
from dtst_flow.models.registry import MODELS, SETS, Model
from dtst_flow.models.store import resolve
from dtst_flow.planning.schema import near
from dtst_flow.utils.files import to_json
from dtst_flow.utils.text import printable


class Name(click.Choice[str]):
    """A name in the registry, in any case; others are refused with the near one."""

    name = "model"

    def __init__(self, names: list[str]):
        super().__init__(names, case_sensitive=False)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return the name as it is registered."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(
                f"the registry has no model '{printable(value)}'{_hint(value)}",
                param,
                ctx,
            )


def _hint(word: str) -> str:
    """What a word may mean: an engine's or a kind's weights, or a name that is near."""
    from dtst_flow.embed import embedders
    from dtst_flow.faces import engines

    weights = {name: models[0] for name, models in engines.MODELS.items()}
    weights |= {name: kind.weights for name, kind in embedders.MODELS.items()}
    meant = weights.get(word.lower())
    return f"; did you mean '{meant}'?" if meant else near(word, MODELS)


@click.group(cls=Group)
def models() -> None:
    """Show and prepare the model weights."""


@models.command("list", cls=Command, examples=EXAMPLES["models list"])
@settings.json_flag
def list_models(as_json: bool) -> None:
    """List every model: size, licence, what it does, where it is."""
    if as_json:
        rows = [_row(model) for model in MODELS.values()]
        click.echo(to_json({"models": rows}, indent=2))
        return
    for model in MODELS.values():
        click.echo(_headline(model))
        click.echo(f"  {model.purpose}")
        click.echo(f"  {_where(model)}")


@models.command(cls=Command, examples=EXAMPLES["models fetch"])
@click.argument("names", metavar="[NAME]...", nargs=-1, type=Name([*SETS, *MODELS]))
@click.option("--all", "every", is_flag=True, help="All that have a download.")
@settings.json_flag
def fetch(names: tuple[str, ...], every: bool, as_json: bool) -> None:
    """Download models.

    The set "faces" is what dtst run faces needs by default. They go to the folder that
    DTST_MODELS names, or to ~/.cache/dtst-flow/models. An interrupted download goes on
    where it broke off.
    """
    if every:
        names = tuple(model.name for model in MODELS.values() if model.sources)
    if not names:
        raise click.UsageError("Give the names of models or of a set, or --all.")
    names = tuple(dict.fromkeys(n for name in names for n in SETS.get(name, (name,))))
    faults = list(filter(None, [_fetch(MODELS[name], as_json) for name in names]))
    if as_json:
        rows = [_row(MODELS[name]) for name in names]
        value = {"ok": not faults, "errors": faults, "models": rows}
        click.echo(to_json(value, indent=2))
    sys.exit(1 if faults else 0)


@models.command(cls=Command, examples=EXAMPLES["models path"])
@click.argument("name", metavar="NAME", type=Name(list(MODELS)))
@settings.json_flag
def path(name: str, as_json: bool) -> None:
    """Print where a model's weights are; fail if they are not here."""
    try:
        found = str(resolve(name).path)
    except ModelError as error:
        raise click.ClickException(str(error)) from error
    click.echo(to_json({"path": found}, indent=2) if as_json else found)


def _fetch(model: Model, quiet: bool) -> str | None:
    """Fetch one model and say where it is now; returns what went wrong, if anything."""
    from dtst_flow.models.download import fetch as download

    if not quiet:
        click.echo(_headline(model))
    try:
        with _progress_bar(model) as progress:
            weights = download(model.name, progress=progress)
    except ModelError as error:
        if not quiet:
            click.echo(error, err=True)
        return str(error)
    if not quiet:
        click.echo(f"  {weights.path}")
    return None


def _row(model: Model) -> dict[str, Any]:
    """What a program may want to know of a model."""
    try:
        path, fault = str(resolve(model.name).path), None
    except ModelError as error:
        path, fault = None, str(error)
    return {
        "name": model.name,
        "size": model.size,
        "licence": model.licence,
        "purpose": model.purpose,
        "path": path,
        "fault": fault,
    }


@contextmanager
def _progress_bar(model: Model) -> Iterator[Callable[[int, int], None]]:
    """Show how far a download is, as long as it lasts and only on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    console = Console(stderr=True)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(model.name, total=model.size)
        yield lambda done, size: bar.update(task, completed=done)


def _headline(model: Model) -> str:
    name = click.style(model.name, bold=True)
    return f"{name}  {model.size / 1e6:.1f} MB  {model.licence}"


def _where(model: Model) -> str:
    """The path of a model's weights, or what is wrong with them."""
    try:
        return str(resolve(model.name).path)
    except ModelMissing:
        return click.style("not here", fg="yellow")
    except ModelError as error:
        return click.style(str(error).partition("\n")[0], fg="red")
