"""Commands whose help has examples, and what one needs first before what is common."""

import functools
import itertools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from dtst_flow.cli import peer, signals
from dtst_flow.cli.console import Ending, Voice
from dtst_flow.planning.schema import near

EXAMPLES: dict[str, tuple[str, ...]] = {
    "extract-frames": (
        "extract-frames -d scratch/crowd --from videos --to images/frames",
        "extract-frames -d scratch/crowd --every 2 --scenes --format png",
    ),
    "extract-faces": (
        "extract-faces -d scratch/crowd --from 'images/*' --to faces",
        "extract-faces crowd.yaml --engine dlib --max-size 512",
    ),
    "detect": (
        "detect -d scratch/dahlias --from images --classes flower,leaf",
        "detect -d scratch/dahlias --from images --clear",
    ),
    "extract-classes": (
        "extract-classes -d scratch/dahlias --from images --to flowers --classes flower",
        "extract-classes dahlias.yaml --square --margin 0.1",
    ),
    "cluster": (
        "cluster -d scratch/crowd --from faces --to cluster --top 5",
        "cluster -d scratch/crowd --from 'images/*' --model clip -n",
    ),
    "select": (
        "select -d scratch/crowd --clusters Ann,002 --min-side 256 --bursts best",
        "select -d scratch/crowd --from faces --to sharp --min-metric blur 50 -n",
    ),
    "run faces": (
        "run faces -d scratch/crowd --max-faces 1 --min-cluster-size 3",
        "run faces crowd.yaml --faces-to portraits --cluster-to people",
    ),
    "run images": ("run images -d scratch/crowd --model efficientnet",),
    "run classes": (
        "run classes -d scratch/dahlias --classes flower,leaf",
        "run classes dahlias.yaml --detect-model yolo26n --cluster-model clip",
    ),
    "diff": ("diff -d scratch/crowd", "diff -d scratch/crowd --to people --json"),
    "labels list": ("labels list -d scratch/crowd",),
    "labels adopt": (
        "labels adopt -d scratch/crowd -n",
        "labels adopt -d scratch/crowd",
    ),
    "labels check": ("labels check -d scratch/crowd --json",),
    "report": (
        "report -d scratch/crowd",
        "report -d scratch/crowd --to people --output people.html",
    ),
    "review": ("review -d scratch/crowd", "review -d scratch/crowd --to people"),
    "check": ("check", "check -d scratch/crowd --json"),
    "models list": ("models list",),
    "models fetch": ("models fetch faces",),
    "models path": ("models path arcface_r50",),
    "help": ("help cluster", "help run faces"),
}
"""Command -> command lines without the name of the program; tests try them."""

COMMON_HEADING = "Common options"

PASSED_ON = "dtst.passed_on"
"""Where the context of a command has the words after ``--``."""


class Command(click.Command):
    """A command with examples of its use.

    Args:
        examples: Command lines without the name of the program.
    """

    def __init__(self, *args: Any, examples: Sequence[str] = (), **more: Any) -> None:
        super().__init__(*args, **more)
        self.examples = tuple(examples)

    def format_options(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write the options under their headings, the common ones last."""
        under: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record and isinstance(param, click.Option):
                heading = getattr(param, "heading", COMMON_HEADING)
                under.setdefault(heading, []).append(record)
        last = under.pop(COMMON_HEADING, [])
        for heading, records in [*under.items(), (COMMON_HEADING, last)]:
            if records:
                with formatter.section(heading if under else "Options"):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        if self.examples:
            program = ctx.find_root().info_name
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"  {program} {example}\n")


class RunCommand(Command):
    """A command that passes what stands after ``--`` on to Snakemake, and nothing else."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep back what stands after ``--``."""
        if "--" in args:
            at = args.index("--")
            ctx.meta[PASSED_ON] = tuple(args[at + 1 :])
            args = args[:at]
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if told := peer.flag_elsewhere(self.name, error.option_name):
                ctx.fail(told)
            ending = error.option_name.removeprefix("-")  # -to, as in --faces-to
            longer = [o for p in self.params for o in p.opts if o.endswith(ending)]
            if not longer:
                raise
            ctx.fail(f"{error.message} Did you mean {' or '.join(longer)}?")

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Name what may stand after ``--``."""
        return [*super().collect_usage_pieces(ctx), "[-- SNAKEMAKE OPTIONS]"]


class Group(click.Group):
    """Lists commands in the order of use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which the commands were added."""
        return list(self.commands)


class Program(Group):
    """All commands; knows those of the other dtst, to say that they are not here."""

    def main(
        self,
        args: Sequence[str] | None = None,
        *more: Any,
        standalone_mode: bool = True,
        **named: Any,
    ) -> Any:
        """Run a command; an error is one message, last on screen."""
        words = sys.argv[1:] if args is None else list(args)
        call: Callable[[], Any] = functools.partial(
            super().main, words, *more, standalone_mode=False, **named
        )
        if not standalone_mode:
            return call()
        # Of words that cannot be read, click knows no flag.
        as_json = "--json" in itertools.takewhile(lambda word: word != "--", words)
        voice = Voice(as_json=as_json)
        try:
            code: Any = call()
        except click.ClickException as error:
            if isinstance(error, click.UsageError) and error.ctx:
                voice.say(error.ctx.get_usage())
            voice.end(Ending.of(error))
        except click.Abort as error:
            code = signals.exit_code(error.__context__)
            voice.end(Ending(code, [f"interrupted; {signals.AGAIN}"]))
        sys.exit(code if isinstance(code, int) else 0)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is asked for."""
        if args[0] not in self.commands and peer.is_command(args[0]):
            ctx.fail(peer.command_elsewhere(args[0]))
        return super().resolve_command(ctx, args)


class PathsAndWorkflows(Group):
    """The paths that there are, and any other name as that of a workflow.

    Args:
        workflow: Makes the command of a workflow from its name.
    """

    def __init__(
        self, *args: Any, workflow: Callable[[str], click.Command], **more: Any
    ) -> None:
        super().__init__(*args, **more)
        self.workflow = workflow

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of a path or workflow."""
        if cmd_name in self.commands or cmd_name.startswith("-"):
            return super().get_command(ctx, cmd_name)
        return self.workflow(cmd_name)


@click.command("help", cls=Command, examples=EXAMPLES["help"])
@click.argument("words", nargs=-1, metavar="[COMMAND]...")
@click.pass_context
def help_command(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Show the help of a command, or of all."""
    here = ctx.find_root()
    for word in words:
        known = getattr(here.command, "commands", {})
        if word not in known:
            if peer.is_command(word):
                ctx.fail(peer.command_elsewhere(word))
            hint = near(word, known) if known else ""
            ctx.fail(f"'{here.command_path}' has no command '{word}'{hint}")
        here = click.Context(known[word], parent=here, info_name=word)
    click.echo(here.get_help())
