"""Stage cluster: all embeddings in, numbered folders and clusters.json out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dtst_flow.dataset.cluster_list import ClusterEvidence
from dtst_flow.dataset.foreign import foreign_clusters
from dtst_flow.dataset.state import log_of, state_of
from dtst_flow.embed import embedders
from dtst_flow.runtime.failures import fail_where_due
from dtst_flow.stages import crops, embed, user_labels
from dtst_flow.stages.accounting import check_complete, refuse_nothing
from dtst_flow.stages.clustering import (
    Clustering,
    Options,
    sentences,
    unrecognisable,
)
from dtst_flow.stages.contract import Row, Settings, Stage, options_of
from dtst_flow.stages.layout import Handling, check_links, write
from dtst_flow.stages.people import NOBODY, KnownPeople, set_apart
from dtst_flow.utils.arrays import load
from dtst_flow.utils.files import to_json, write_atomic
from dtst_flow.utils.tables import read_table, write_table

if TYPE_CHECKING:
    from dtst_flow.cluster.groups import Settings as GroupSettings
    from dtst_flow.cluster.history import Members

log = logging.getLogger(__name__)


SETTINGS = "settings.json"
"""Name of the file in a bucket's state with the settings by which it was made."""


@dataclass(frozen=True)
class ClusterJob:
    """The files of the job, relative to the dataset folder in which it runs.

    Attributes:
        tables: What embed wrote, shard by shard.
        arrays: The vectors of each table's rows.
        failed: The images that could not be embedded, shard by shard.
        inventory: The folder with the manifests.
        summary: Written last: what to tell the user.
        failures: Written: the row of every image that could not be embedded or laid out.
        threads: How many may compare images.
    """

    tables: list[str]
    arrays: list[str]
    failed: list[str]
    inventory: str
    summary: str
    failures: str
    threads: int = 1


PLAINLY = Handling()


def run(job: ClusterJob, settings: Settings, strict: bool) -> None:
    """Cluster a bucket, as the settings say. Raises SystemExit, as `cluster` does."""
    # Only the environments that cluster have it; the stages are known in all.
    from threadpoolctl import threadpool_limits

    bucket = settings["to"]
    if why := foreign_clusters(Path(bucket), state_of(bucket)):
        raise SystemExit(why)
    handling = Handling(settings["link"], settings["clean"], strict)
    with threadpool_limits(job.threads, "blas"):
        cluster(job, bucket, options_of(Options, settings), handling)
    write_atomic(state_of(bucket) / SETTINGS, to_json(dict(settings), indent=2))


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
        SystemExit: There is no image any more, a shard leaves images out, or the file
            system cannot make such links: nothing was removed.
            Or no image could be laid out, or one failed and that was not to be: the
            bucket is complete but for that.
    """
    check_complete(job.inventory, job.tables, job.failed)
    embedded = gather(job.tables, job.arrays)
    rows, vectors, people = set_apart(*embedded, options.people, _reach(options))
    not_embedded = [row for table in job.failed for row in read_table(table)]
    refuse_nothing(len(rows) + len(not_embedded), bucket)
    check_links(rows, bucket, handling.link)
    clustering = find_clusters(rows, vectors, bucket, options, people)
    ids = identify(clustering, state_of(bucket) / "history")
    user_labels.keep(clustering.known, bucket)
    laid = write(bucket, clustering, ids, handling)
    failures = sorted(not_embedded + laid.left_out, key=lambda row: str(row["path"]))
    write_table(job.failures, failures)
    listed = log_of("cluster", bucket)
    said = sentences(clustering, len(not_embedded), listed) + laid.said
    log.info("\n".join(said))
    if failures:
        fail_where_due(said, failures, bucket, bool(laid.entries), handling.strict)
    summary = {
        "said": said,
        "images": len(rows),
        "failed": len(failures),
        "clusters": len(clustering.grouping.groups),
        "noise": len(clustering.grouping.noise),
        "rejected": len(clustering.known.rejected),
    }
    write_atomic(job.summary, to_json(summary, indent=2) + b"\n")


def find_clusters(
    rows: list[Row],
    vectors: NDArray[np.float32],
    bucket: str,
    options: Options,
    people: KnownPeople = NOBODY,
) -> Clustering:
    """Group the rows, with what the user says of them in the bucket."""
    # Numba takes a second to import; whoever wants the options only does not wait for it.
    from dtst_flow.cluster import duplicates
    from dtst_flow.cluster.groups import group
    from dtst_flow.cluster.people import People

    settings = _group_settings(options)
    known = user_labels.read(rows, bucket, set(people.names))
    hashes = np.array([int(row["hash"], 16) for row in rows], np.uint64)
    junk = unrecognisable(rows, known, options.min_recognisability)
    vectors = vectors.copy()
    # Like all that cannot be compared they are noise, and bridge nothing.
    vectors[junk] = 0
    # Nor is what the user does not want near to anything, not even to a copy.
    vectors[known.rejected] = np.nan
    look = duplicates.Look(vectors, hashes, embedders.MODELS[options.model].alike)
    sets = duplicates.find(look, options.min_cluster_size)
    grouping = group(
        vectors,
        settings,
        None if options.count_duplicates else sets,
        known,
        _photos(rows) if embedders.MODELS[options.model].points else None,
        People(people.names, people.vectors),
    )
    options = replace(
        options,
        min_samples=settings.min_samples,
        max_distance=settings.max_distance,
    )
    grouping = replace(
        grouping,
        noise=np.setdiff1d(grouping.noise, known.rejected),
        unusable=np.setdiff1d(grouping.unusable, [*junk, *known.rejected]),
    )
    return Clustering(rows, grouping, sets, known, options, people, junk)


def _reach(options: Options) -> float:
    """How far apart two images may be that show the same."""
    kind = embedders.MODELS[options.model]
    return max(kind.same or 0, kind.ceiling or 0)


def _photos(rows: list[Row]) -> NDArray[np.intp]:
    """The photo that each row is a face of, by number; -1 where that is not known."""
    numbers: dict[str, int] = {}
    return np.array(
        [
            -1
            if (photo := row.get("photo")) is None
            else numbers.setdefault(photo, len(numbers))
            for row in rows
        ],
        np.intp,
    )


def _group_settings(options: Options) -> GroupSettings:
    """What the options leave open is filled in by what suits the model and the sizes."""
    from dtst_flow.cluster.groups import Settings, default_min_samples

    kind = embedders.MODELS[options.model]
    k, limit, near = options.min_samples, options.max_distance, kind.near
    if k is None:
        k = default_min_samples(options.min_cluster_size, faces=kind.points)
    limit = kind.ceiling if limit is None else limit
    if near is not None and limit is not None:
        near = min(near, limit)
    return Settings(options.min_cluster_size, k, kind.same, limit, near, kind.alike)


def gather(
    tables: Sequence[str], arrays: Sequence[str]
) -> tuple[list[Row], NDArray[np.float32]]:
    """Join the shards; rows by path, so that how they were split leaves no trace.

    Returns:
        The rows and their (n, d) float32 vectors.
    """
    rows = [row for table in tables for row in read_table(table)]
    loaded = [load(array) for array in arrays]
    filled = [array for array in loaded if len(array)]
    if not filled:
        return [], np.empty((0, 0), np.float32)
    order = sorted(range(len(rows)), key=lambda i: rows[i]["path"])
    return [rows[i] for i in order], np.concatenate(filled)[order]


def identify(clustering: Clustering, folder: Path) -> list[str]:
    """Give each cluster an id, that of the cluster it was in the run before.

    Args:
        clustering: The clusters.
        folder: The states of the last two runs that differ, ``before.json`` and
            ``now.json``: id -> members, noise and what is rejected among them; and how the
            labels stood then.
    """
    from dtst_flow.cluster import history, label_changes

    now = folder / "now.json"
    rows, grouping = clustering.rows, clustering.grouping
    known = history.read(now)
    members = [_members(rows, g.members.tolist()) for g in grouping.groups]
    before = {id_: m for id_, m in known.items() if id_ not in history.NO_CLUSTER}
    ids = history.carry_over(before, members)
    state = dict(zip(ids, members, strict=True))
    state[history.NOISE] = _members(rows, grouping.noise.tolist())
    if clustering.known.rejected:
        state[history.REJECTED] = _members(rows, clustering.known.rejected)
    lines = label_changes.standing(
        clustering.known.readings, [row["path"] for row in rows]
    )
    stood = history.read(folder / "labels_now.json")
    if state != known:
        write_atomic(folder / "labels_before.json", to_json(stood))
        write_atomic(folder / "before.json", to_json(known))
        write_atomic(now, to_json(state))
    if lines != stood:
        write_atomic(folder / "labels_now.json", to_json(lines))
    return ids


def _members(rows: list[Row], which: list[int]) -> Members:
    return {rows[i]["path"]: rows[i]["digest"] for i in sorted(which)}


def runtimes(settings: Settings) -> dict[str, tuple[str, ...]]:
    """The rules that may run on a GPU, with what does that."""
    return {"embed": embedders.runtimes(settings), "cluster": ("torch",)}


STAGE = Stage(
    name="cluster",
    rule="embed",
    collector="cluster",
    options=Options,
    models=embed.models,
    code=embed.code,
    cost_keys={"embed": ("model", "clip_model", "weights"), "cluster": ("link",)},
    run=embed.run,
    pending=embed.pending,
    damaged_shards=crops.damaged_shards,
    evidence=ClusterEvidence,
    runtimes=runtimes,
)
