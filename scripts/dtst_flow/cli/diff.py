"""``dtst diff``: what became of the clusters from the run before to the last one."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dtst_flow.cli.help import EXAMPLES, Command
from dtst_flow.cli.settings import in_bucket, in_dataset, json_flag
from dtst_flow.dataset.state import state_of
from dtst_flow.utils.files import read_json, to_json
from dtst_flow.utils.text import printable

if TYPE_CHECKING:  # it loads SciPy, which takes a moment
    from dtst_flow.cluster.history import Changes

MAX_SHOWN = 10
"""Images of each kind named; --json names them all."""


@click.command(cls=Command, examples=EXAMPLES["diff"])
@in_dataset
@in_bucket
@json_flag
def diff(working_dir: str, bucket: str, as_json: bool) -> None:
    """Tell what became of the clusters since the run before, and of labels.csv's lines.

    Clusters are called by their ids, which they keep from run to run; the folder that
    one is in now stands beside. A line of labels.csv is told of if its image has another
    name now, went away or came back.
    """
    from dataclasses import asdict

    from dtst_flow.cluster import label_changes
    from dtst_flow.cluster.history import compare, read

    dataset = Path(working_dir)
    history = dataset / state_of(bucket) / "history"
    if not (history / "now.json").exists():
        raise click.ClickException(
            f"no run has clustered into {dataset / bucket} yet; dtst cluster does"
        )
    before, now, stood, stand = (
        read(history / f"{name}.json")
        for name in ("before", "now", "labels_before", "labels_now")
    )
    changes, lines = compare(before, now), dict(label_changes.compare(stood, stand))
    if as_json:
        click.echo(to_json(asdict(changes) | {"labels": lines}, indent=2))
        return
    for line in tell(changes, labels(dataset / bucket / "clusters.json")):
        click.echo(printable(line))
    for label, said in lines.items():
        click.echo(printable(f"label: {label} {said}"))


def labels(clusters: Path) -> dict[str, str]:
    """Id -> what a cluster is called: id, folder and name; none that cannot be read."""
    called = {}
    try:
        for cluster in read_json(clusters)["clusters"]:
            more = (cluster["folder"], cluster["name"])
            called[cluster["id"]] = " ".join([cluster["id"], *filter(None, more)])
    except (OSError, LookupError, RecursionError, TypeError, ValueError):
        return {}
    return called


def tell(changes: "Changes", called: dict[str, str]) -> Iterator[str]:
    """Yield what changed in plain words, line by line."""

    def name(id_: str) -> str:
        return called.get(id_, id_) if id_ else "noise"

    def names(ids: list[str]) -> str:
        return ", ".join(map(name, ids))

    images = len(changes.added) + len(changes.removed) + len(changes.moved)
    if not images and not changes.born and not changes.died:
        yield "nothing changed since the run before"
        return
    yield (
        f"{len(changes.added)} images added, {len(changes.removed)} removed, "
        f"{len(changes.moved)} moved"
    )
    for id_ in changes.born:
        yield f"born: {name(id_)}"
    for id_ in changes.died:
        yield f"died: {id_}"
    for id_, parts in changes.split.items():
        yield f"split: {name(id_)} into {names(parts)}"
    for id_, parts in changes.merged.items():
        yield f"merged: {names(parts)} into {name(id_)}"
    for id_, (before, now) in changes.sizes.items():
        verb = "grew" if now > before else "shrank"
        yield f"{verb}: {name(id_)} from {before} to {now}"
    for image, was, is_ in changes.moved[:MAX_SHOWN]:
        yield f"moved: {image!r} from {name(was)} to {name(is_)}"
    if len(changes.moved) > MAX_SHOWN:
        yield f"... and {len(changes.moved) - MAX_SHOWN} more; --json names them all"
