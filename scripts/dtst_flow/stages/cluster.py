"""Stage cluster: all embeddings in, numbered folders and clusters.json out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dtst_flow.cluster import constraints
from dtst_flow.dataset.ledger import Ledgers, Part
from dtst_flow.dataset.state import state_of
from dtst_flow.embed import embedders
from dtst_flow.embed.base import CLIP
from dtst_flow.runtime.failures import fail_where_due
from dtst_flow.stages import crops, embed
from dtst_flow.stages.contract import Row, Settings, Stage, options_of
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
    """The settings of cluster that its results depend on.

    Attributes:
        model: A key of `embedders.MODELS`.
        top: Lay out only the largest so many clusters, None for all.
        min_cluster_size: Fewer images do not make a cluster.
        min_samples: HDBSCAN's k: how many neighbours make a place dense.
        clip_model: Which of OpenCLIP's models clip is.
        count_duplicates: Whether near-duplicates count as images of their own.
        max_distance: The cosine distance above which parts of a cluster are taken apart,
            None for that of the model.
    """

    model: str
    top: int | None = None
    min_cluster_size: int = 5
    min_samples: int = 2
    clip_model: str = CLIP
    count_duplicates: bool = False
    max_distance: float | None = None


@dataclass(frozen=True)
class ClusterJob:
    """The files of the job, relative to the dataset folder in which it runs.

    Attributes:
        tables: What embed wrote, shard by shard.
        arrays: The vectors of each table's rows.
        failed: The images that could not be embedded, shard by shard.
        summary: Written last: what to tell the user.
        failures: Written: the row of every image that could not be embedded or laid out.
    """

    tables: list[str]
    arrays: list[str]
    failed: list[str]
    summary: str
    failures: str


@dataclass(frozen=True)
class Handling:
    """What to do besides, without effect on which images belong together.

    Attributes:
        link: A key of `links.LINKERS`: what the images in the folders are.
        clean: Remove what earlier runs wrote there before writing.
        strict: Whether one failed image fails the run.
    """

    link: str = "copy"
    clean: bool = False
    strict: bool = False


PLAINLY = Handling()


@dataclass(frozen=True)
class Clustering:
    """All that is known of the images, and of the clusters they make.

    Attributes:
        rows: Those of embed's tables, by path.
        grouping: The clusters, as rows.
        sets: The near-duplicates among the rows.
        known: What the user knows better.
        options: The settings, that of the model filled in.
    """

    rows: list[Row]
    grouping: Grouping
    sets: Sets
    known: constraints.Constraints
    options: Options


def run(job: ClusterJob, settings: Settings, strict: bool) -> None:
    """Cluster a bucket, as the settings say."""
    handling = Handling(settings["link"], settings["clean"], strict)
    cluster(job, settings["to"], options_of(Options, settings), handling)


def cluster(
    job: ClusterJob, bucket: str, options: Options, handling: Handling = PLAINLY
) -> None:
    """Cluster a bucket and lay the clusters out as folders.

    The bucket gets ``000``… by size, ``noise`` and ``clusters.json``.

    Args:
        job: The files to read and write.
        bucket: The target folder, relative to the dataset.
        options: The settings.
        handling: What to do besides.

    Raises:
        SystemExit: No image could be laid out, or one failed and that was not to be; the
            bucket is complete but for that.
    """
    rows, vectors = gather(job.tables, job.arrays)
    clustering = find_clusters(rows, vectors, bucket, options)
    ids = identify(rows, clustering.grouping, state_of(bucket) / "history")
    placed, left_out = _write(bucket, clustering, ids, handling)
    not_embedded = [row for table in job.failed for row in read_table(table)]
    failures = sorted(not_embedded + left_out, key=lambda row: str(row["path"]))
    write_table(job.failures, failures)
    said = sentences(clustering, len(not_embedded))
    if left_out:
        said.append(f"{len(left_out)} images could not be laid out")
    log.info("\n".join(said))
    if failures:
        fail_where_due(said, failures, bucket, bool(placed), handling.strict)
    write_atomic(job.summary, to_json({"said": said}, indent=2) + b"\n")


def find_clusters(
    rows: list[Row], vectors: NDArray[np.float32], bucket: str, options: Options
) -> Clustering:
    """Group the rows, with what the user says of them in the bucket."""
    # Numba takes a second to import; whoever wants the options only does not wait for it.
    from dtst_flow.cluster import duplicates
    from dtst_flow.cluster.groups import group

    kind = embedders.MODELS[options.model]
    if options.max_distance is None:
        options = replace(options, max_distance=kind.ceiling)
    paths = [row["path"] for row in rows]
    known = constraints.read(Path(bucket) / constraints.FILE, paths)
    hashes = np.array([int(row["hash"], 16) for row in rows], np.uint64)
    sets = duplicates.find(vectors, hashes, kind.alike)
    grouping = group(
        vectors,
        options.min_cluster_size,
        options.min_samples,
        kind.same,
        options.max_distance,
        None if options.count_duplicates else sets,
        known,
    )
    return Clustering(rows, grouping, sets, known, options)


def _write(
    bucket: str, clustering: Clustering, ids: list[str], handling: Handling
) -> tuple[list[Any], list[Row]]:
    """Lay the clusters out; returns the ledger rows, and those of images left out."""
    grouping, options = clustering.grouping, clustering.options
    ledgers = Ledgers(bucket, state_of(bucket))
    if handling.clean:
        ledgers.commit({})
    shown = grouping.groups[: options.top]
    placed, left_out = lay_out(
        clustering.rows, shown, grouping.noise, ledgers, handling.link
    )
    content = to_json(describe(clustering, ids), indent=2) + b"\n"
    entry, _ = Part(ledgers, "all").write(
        "clusters.json", digest_value(content.decode()), lambda: content, reserved=True
    )
    ledgers.commit({"all": [*placed, entry]})
    return placed, left_out


def gather(
    tables: Sequence[str], arrays: Sequence[str]
) -> tuple[list[Row], NDArray[np.float32]]:
    """Join the shards; rows by path, so that how they were split leaves no trace.

    Returns:
        The rows and their (n, d) float32 vectors.
    """
    rows = [row for table in tables for row in read_table(table)]
    loaded = [np.load(array) for array in arrays]
    filled = [array for array in loaded if len(array)]
    if not filled:
        return [], np.empty((0, 0), np.float32)
    order = sorted(range(len(rows)), key=lambda i: rows[i]["path"])
    return [rows[i] for i in order], np.concatenate(filled)[order]


def identify(rows: list[Row], grouping: Grouping, folder: Path) -> list[str]:
    """Give each cluster an id, that of the cluster it was in the run before.

    Args:
        rows: All images.
        grouping: Their clusters.
        folder: The states of the last two runs that differ, ``before.json`` and
            ``now.json``: id -> members, noise among them.
    """
    from dtst_flow.cluster import history

    now = folder / "now.json"
    known = history.read(now)
    members = [_members(rows, g.members) for g in grouping.groups]
    before = {id_: m for id_, m in known.items() if id_ != history.NOISE}
    ids = history.carry_over(before, members)
    state = dict(zip(ids, members, strict=True))
    state[history.NOISE] = _members(rows, grouping.noise)
    if state != known:
        write_atomic(folder / "before.json", to_json(known))
        write_atomic(now, to_json(state))
    return ids


def _members(rows: list[Row], which: NDArray[np.intp]) -> Members:
    return {rows[i]["path"]: rows[i]["digest"] for i in sorted(which)}


def _name(group: Group, known: constraints.Constraints) -> str | None:
    """The name that the user gave a cluster, by one of its images."""
    return next((known.names[i] for i in group.members if i in known.names), None)


def describe(clustering: Clustering, ids: list[str]) -> dict[str, Any]:
    """Return the content of clusters.json."""
    rows, groups = clustering.rows, clustering.grouping.groups
    shown = len(groups[: clustering.options.top])
    return {
        "parameters": asdict(clustering.options),
        "clusters": [
            {
                "id": ids[rank],
                "name": _name(group, clustering.known),
                "rank": rank,
                "folder": f"{rank:03d}" if rank < shown else None,
                "size": len(group.members),
                "medoid": rows[group.members[0]]["path"],
                "members": [
                    {"path": rows[i]["path"], "distance": round(float(d), 6)}
                    for i, d in zip(group.members, group.distances, strict=True)
                ],
            }
            for rank, group in enumerate(groups)
        ],
        "noise": [{"path": rows[i]["path"]} for i in clustering.grouping.noise],
        "near_duplicates": [
            [rows[i]["path"] for i in members] for members in clustering.sets.several
        ],
    }


def sentences(clustering: Clustering, failures: int) -> list[str]:
    """Return what to tell the user of the result, in plain words.

    Args:
        clustering: The result.
        failures: How many images could not be embedded.
    """
    rows, options = clustering.rows, clustering.options
    groups, noise = clustering.grouping.groups, clustering.grouping.noise
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
    copies = len(rows) - len(clustering.sets.chosen)
    if copies:
        counted = "count nevertheless" if options.count_duplicates else "count once"
        said.append(
            f"{copies} images are near-duplicates of others and {counted} "
            "(--count-duplicates); clusters.json lists them"
        )
    said += _of_sizes(len(rows), groups, len(noise), options)
    said += _of_trouble(clustering)
    left = groups[options.top :] if options.top is not None else []
    if left:
        said.append(
            f"{len(left)} smaller clusters with {sum(len(g.members) for g in left)} "
            "images are not laid out (--top); clusters.json lists them"
        )
    return said


def _of_sizes(
    images: int, groups: list[Group], noise: int, options: Options
) -> list[str]:
    """What is odd about the sizes of the clusters, and what helps."""
    if images < options.min_cluster_size:
        return [
            f"fewer images than --min-cluster-size {options.min_cluster_size}, so all "
            "are noise"
        ]
    if not groups:
        return [
            "no group stands out, so all are noise: the images are all alike or all "
            "different; a smaller --min-cluster-size may help"
        ]
    if len(groups) == 1:
        return [] if noise else ["all images form one single cluster"]
    share = len(groups[0].members) / images
    if share <= LARGE:
        return []
    return [
        f"cluster 000 holds {share:.0%} of all images; if it mixes different things, "
        "a smaller --max-distance takes it apart"
    ]


def _of_trouble(clustering: Clustering) -> list[str]:
    """What could not be used: embeddings, lines of the user's, links."""
    rows, grouping = clustering.rows, clustering.grouping
    said = []
    if len(grouping.unusable):
        said.append(
            f"{len(grouping.unusable)} images have an embedding that cannot be compared "
            "(zero or not finite) and are noise"
        )
    return [
        *said,
        *clustering.known.faults,
        *(
            f"{rows[a]['path']} and {rows[b]['path']} are not linked: that would bring "
            "images together that must not be"
            for a, b in grouping.refused
        ),
    ]


STAGE = Stage(
    name="cluster",
    rule="embed",
    table="embeddings",
    options=Options,
    models=embed.models,
    code=embed.code,
    cost_keys={"embed": ("model", "clip_model", "weights"), "cluster": ("link",)},
    run=embed.run,
    pending=embed.pending,
    damaged_shards=crops.damaged_shards,
    uses_gpu=True,
)
