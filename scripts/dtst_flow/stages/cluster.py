"""Stage cluster: all embeddings in, numbered folders and clusters.json out."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dtst_flow.cluster import constraints
from dtst_flow.dataset.ledger import Ledgers, Part
from dtst_flow.dataset.state import state_of
from dtst_flow.embed import embedders
from dtst_flow.embed.base import CLIP
from dtst_flow.runtime.failures import first_of
from dtst_flow.stages.layout import lay_out
from dtst_flow.utils.files import (
    digest_value,
    read_table,
    to_json,
    write_atomic,
    write_table,
)

if TYPE_CHECKING:
    from dtst_flow.cluster.duplicates import Sets
    from dtst_flow.cluster.groups import Group, Grouping
    from dtst_flow.cluster.history import Members

log = logging.getLogger(__name__)

LARGE = 0.3
"""The share of all images from which on a cluster looks suspicious."""


@dataclass(frozen=True)
class Options:
    """The parameters of cluster that its results depend on.

    model             a key of `embed.MODELS`
    top               lay out only the largest so many clusters, None for all
    min_cluster_size  fewer images do not make a cluster
    min_samples       HDBSCAN's k: how many neighbours make a place dense
    clip_model        which of OpenCLIP's models clip is
    count_duplicates  whether near-duplicates count as images of their own
    max_distance      cosine distance above which parts of a cluster are taken apart,
                      None for that of the model
    """

    model: str
    top: int | None = None
    min_cluster_size: int = 5
    min_samples: int = 2
    clip_model: str = CLIP
    count_duplicates: bool = False
    max_distance: float | None = None


def run(
    tables: list[str],
    arrays: list[str],
    failed: list[str],
    bucket: str,
    options: Options,
    summary: str,
    failures: str,
    link: str = "copy",
    clean: bool = False,
    strict: bool = False,
) -> None:
    """Cluster a bucket and lay the clusters out as folders.

    tables, arrays, failed  what embed wrote, shard by shard
    bucket    target folder; gets ``000``… by size, ``noise`` and ``clusters.json``
    summary   written last: what to tell the user
    failures  written: a `failure` of every image that could not be embedded or laid out
    link      a key of `place.WAYS`: what the images there are; for all else of no account
    clean     remove what earlier runs wrote there before writing
    strict    whether one failed image fails the run

    Raises SystemExit, once the bucket is settled, when of the images none could be laid
    out or one failed and that was not to be.
    """
    # Numba takes a second to import; whoever wants the options only does not wait for it.
    from dtst_flow.cluster import duplicates
    from dtst_flow.cluster.groups import Settings, group

    rows, vectors = gather(tables, arrays)
    kind = embedders.MODELS[options.model]
    if options.max_distance is None:
        options = replace(options, max_distance=kind.ceiling)
    paths = [row["path"] for row in rows]
    known = constraints.read(Path(bucket) / constraints.FILE, paths)
    hashes = np.array([int(row["hash"], 16) for row in rows], np.uint64)
    sets = duplicates.find(vectors, hashes, kind.alike)
    found = group(
        vectors,
        Settings(
            options.min_cluster_size,
            options.min_samples,
            kind.same,
            options.max_distance,
        ),
        None if options.count_duplicates else sets,
        known,
    )
    ids = identify(rows, found, state_of(bucket) / "history")
    names = [_name(members, known) for members in found.groups]
    ledgers = Ledgers(bucket, state_of(bucket))
    if clean:
        ledgers.commit({})
    placed, left_out = lay_out(
        rows, found.groups[: options.top], found.noise, ledgers, link
    )
    content = (
        to_json(describe(rows, found, sets, ids, names, options), indent=2) + b"\n"
    )
    entry, _ = Part(ledgers, "all").write(
        "clusters.json", digest_value(content.decode()), lambda: content, reserved=True
    )
    ledgers.commit({"all": [*placed, entry]})
    reasons = [row for table in failed for row in read_table(table)]
    every = sorted(reasons + left_out, key=lambda row: row["path"])
    write_table(failures, every)
    said = sentences(rows, found, sets, known, options, len(reasons))
    if left_out:
        said.append(f"{len(left_out)} images could not be laid out")
    log.info("\n".join(said))
    if every and not placed:
        raise SystemExit("; ".join([*said, first_of(every, bucket)]))
    if strict and every:
        raise SystemExit(
            f"{len(every)} images failed and --strict was given; "
            f"{first_of(every, bucket)}"
        )
    write_atomic(summary, to_json({"said": said}, indent=2) + b"\n")


def gather(tables: list[str], arrays: list[str]) -> tuple[list[dict], np.ndarray]:
    """Join the shards; rows by path, so that how they were split leaves no trace.

    Returns the rows and their (n, d) float32 vectors.
    """
    rows = [row for table in tables for row in read_table(table)]
    loaded = [np.load(array) for array in arrays]
    filled = [array for array in loaded if len(array)]
    if not filled:
        return [], np.empty((0, 0), np.float32)
    order = sorted(range(len(rows)), key=lambda i: rows[i]["path"])
    return [rows[i] for i in order], np.concatenate(filled)[order]


def identify(rows: list[dict], found: Grouping, folder: Path) -> list[str]:
    """Give each cluster an id, that of the cluster it was in the run before.

    folder  the states of the last two runs that differ, ``before.json`` and ``now.json``:
            id -> members, noise among them
    """
    from dtst_flow.cluster import history

    now = folder / "now.json"
    known = history.read(now)
    members = [_members(rows, g.members) for g in found.groups]
    before = {id_: m for id_, m in known.items() if id_ != history.NOISE}
    ids = history.carry_over(before, members)
    state = dict(zip(ids, members, strict=True))
    state[history.NOISE] = _members(rows, found.noise)
    if state != known:
        write_atomic(folder / "before.json", to_json(known))
        write_atomic(now, to_json(state))
    return ids


def _members(rows: list[dict], which: np.ndarray) -> Members:
    return {rows[i]["path"]: rows[i]["digest"] for i in sorted(which)}


def _name(group: Group, known: constraints.Constraints) -> str | None:
    """The name that the user gave a cluster, by one of its images."""
    return next((known.names[i] for i in group.members if i in known.names), None)


def describe(
    rows: list[dict],
    found: Grouping,
    sets: Sets,
    ids: list[str],
    names: list[str | None],
    options: Options,
) -> dict:
    """The content of clusters.json."""
    shown = len(found.groups[: options.top])
    return {
        "parameters": asdict(options),
        "clusters": [
            {
                "id": ids[rank],
                "name": names[rank],
                "rank": rank,
                "folder": f"{rank:03d}" if rank < shown else None,
                "size": len(members.members),
                "medoid": rows[members.members[0]]["path"],
                "members": [
                    {"path": rows[i]["path"], "distance": round(float(d), 6)}
                    for i, d in zip(members.members, members.distances, strict=True)
                ],
            }
            for rank, members in enumerate(found.groups)
        ],
        "noise": [{"path": rows[i]["path"]} for i in found.noise],
        "near_duplicates": [
            [rows[i]["path"] for i in members] for members in sets.several
        ],
    }


def sentences(
    rows: list[dict],
    found: Grouping,
    sets: Sets,
    known: constraints.Constraints,
    options: Options,
    failures: int,
) -> list[str]:
    """What to tell the user of the result, in plain words."""
    groups, noise = found.groups, found.noise
    said = [
        f"{len(rows)} images: {len(groups)} clusters with "
        f"{sum(len(g.members) for g in groups)} images, {len(noise)} in noise"
    ]
    if failures:
        said.append(f"{failures} images could not be embedded")
    centred = sum(row["aligned"] == "centre" for row in rows)
    if centred:
        said.append(
            f"{centred} crops show no face that could be found; their centre was taken"
        )
    copies = len(rows) - len(sets.chosen)
    if copies:
        counted = "count nevertheless" if options.count_duplicates else "count once"
        said.append(
            f"{copies} images are near-duplicates of others and {counted} "
            "(--count-duplicates); clusters.json lists them"
        )
    if len(rows) < options.min_cluster_size:
        said.append(
            f"fewer images than --min-cluster-size {options.min_cluster_size}, so all "
            "are noise"
        )
    elif not groups:
        said.append(
            "no group stands out, so all are noise: the images are all alike or all "
            "different; a smaller --min-cluster-size may help"
        )
    elif len(groups) == 1 and not len(noise):
        said.append("all images form one single cluster")
    if groups and len(groups[0].members) > LARGE * len(rows) and len(groups) > 1:
        share = len(groups[0].members) / len(rows)
        said.append(
            f"cluster 000 holds {share:.0%} of all images; if it mixes different things, "
            "a smaller --max-distance takes it apart"
        )
    if len(found.unusable):
        said.append(
            f"{len(found.unusable)} images have an embedding that cannot be compared "
            "(zero or not finite) and are noise"
        )
    said += known.faults
    said += [
        f"{rows[a]['path']} and {rows[b]['path']} are not linked: that would bring "
        "images together that must not be"
        for a, b in found.refused
    ]
    left = groups[options.top :] if options.top is not None else []
    if left:
        said.append(
            f"{len(left)} smaller clusters with {sum(len(g.members) for g in left)} "
            "images are not laid out (--top); clusters.json lists them"
        )
    return said
