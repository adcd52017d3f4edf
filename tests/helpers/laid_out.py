"""Clusters laid out of files as good as images, without a Snakemake."""

import shutil
from pathlib import Path

import numpy as np

from dtst_flow.dataset import cluster_list, inventory
from dtst_flow.dataset.state import PROGRESS
from dtst_flow.stages import cluster
from dtst_flow.utils.files import read_json
from dtst_flow.utils.tables import read_table, write_table

THINGS = ("cat", "dog", "cow")


class Dataset:
    """A dataset of files as good as images, and the stage run on it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.state = folder / ".dtst/buckets/cluster"

    def run(self, link: str, clean: bool = False, folders: str = "rank") -> int:
        """Embed and cluster all there is; returns how many images were written."""
        shutil.rmtree(PROGRESS, ignore_errors=True)  # as a run does
        cache = self.state / "digests.jsonl"
        inventory.write(".", ["images/**"], self.state / "inventory", cache, 1000)
        manifest = list(read_table(self.state / "inventory/s.jsonl"))
        # The digest serves as perceptual hash: no two images look alike.
        rows = [
            row | {"aligned": "whole", "hash": row["digest"][:16]} for row in manifest
        ]
        write_table(self.state / "embeddings/s.jsonl", rows)
        write_table(self.state / "failed/s.jsonl", [])
        vectors = np.array([embedding(row) for row in rows])
        np.save(self.state / "embeddings/s.npy", vectors)
        job = cluster.ClusterJob(
            [str(self.state / "embeddings/s.jsonl")],
            [str(self.state / "embeddings/s.npy")],
            [str(self.state / "failed/s.jsonl")],
            str(self.state / "inventory"),
            str(self.state / "summary.json"),
            str(self.state / "failed.jsonl"),
        )
        options = cluster.Options("efficientnet", min_cluster_size=3, folders=folders)
        cluster.cluster(job, "cluster", options, cluster.Handling(link, clean))
        return read_json(PROGRESS / "cluster.all.json")["computed"]

    def images(self) -> list[Path]:
        """What is laid out, sidecars apart."""
        files = (self.folder / "cluster").glob("*/*")
        return sorted(path for path in files if path.suffix != ".json")

    def results(self) -> dict[str, bytes]:
        """Path -> content of all below the target bucket."""
        bucket = self.folder / "cluster"
        files = (path for path in bucket.rglob("*") if path.is_file())
        return {
            path.relative_to(bucket).as_posix(): path.read_bytes() for path in files
        }

    def sources(self) -> dict[str, tuple]:
        """All that must not change: path -> content, inode and mtime."""
        stats = {path: path.stat() for path in (self.folder / "images").rglob("*.*")}
        return {
            str(path): (path.read_bytes(), stat.st_ino, stat.st_mtime_ns)
            for path, stat in stats.items()
        }

    def placed(self) -> dict[str, str]:
        """File among the clusters -> its image."""
        listed = cluster_list.read(self.folder / "cluster/clusters.json")
        return {one.file: one.image for one in listed.listed.values()}

    def folders(self) -> dict[str, set[str]]:
        """Folder among the clusters -> its images."""
        found: dict[str, set[str]] = {}
        for file, image in self.placed().items():
            found.setdefault(file.partition("/")[0], set()).add(image)
        return found

    def said(self) -> str:
        return "\n".join(read_json(self.state / "summary.json")["said"])

    def failed(self) -> dict[str, str]:
        return {r["path"]: r["reason"] for r in read_table(self.state / "failed.jsonl")}

    def ways(self) -> set[str]:
        """What the images laid out are of the sources."""
        inodes = {inode for _, inode, _ in self.sources().values()}
        return {
            "symbolic"
            if path.is_symlink()
            else ("hard" if path.stat().st_ino in inodes else "copy")
            for path in self.images()
        }


def embedding(row: dict) -> np.ndarray:
    """Images of one thing, by the file's name, are near each other."""
    near = np.random.default_rng(int(row["digest"], 16)).normal(size=16) * 0.03
    thing = next(t for t in THINGS if t in row["path"].lower())
    vector = np.eye(16)[THINGS.index(thing)] + near
    return (vector / np.linalg.norm(vector)).astype(np.float32)
