"""How long a review of many images takes to start and to answer, and what memory.

    python tests/benchmarks/review.py FOLDER [--images 100000] [--clusters 5000]

Makes in FOLDER what a run leaves (random vectors, small images), if it is not there yet.
The first view are the state, 200 clusters and the thumbnails of 40 medoids, from the start
of the process on; then the median and the longest of each kind of request are told.
"""

import argparse
import itertools
import json
import os
import random
import signal
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import httpx
import numpy as np
import psutil
from PIL import Image

from dtst_flow.utils.files import digest_file, to_json, write_atomic
from dtst_flow.utils.tables import write_table

SHARD = 4000
WIDTH = 512
NOISE = 0.15
PICTURES = 5000
"""Different pictures; all other images are links to one of them."""

START = "from dtst_flow.cli.start import start; start()"


def make(folder: Path, images: int, clusters: int) -> None:
    """Write a clustering whose sizes fall as those of people in an album do."""
    rng = np.random.default_rng(0)
    weights = 1 / np.arange(1, clusters + 1) ** 0.6
    grouped = int(images * (1 - NOISE)) - 5 * clusters
    sizes = 5 + np.floor(grouped * weights / weights.sum()).astype(int)
    of = np.full(images, -1)
    of[: sizes.sum()] = np.repeat(np.arange(clusters), sizes)
    pictures = list(_pictures(folder / "pictures", rng))
    crops = folder / "faces"
    crops.mkdir()
    rows = []
    for n in range(images):
        picture, digest = pictures[n % len(pictures)]
        os.link(picture, crops / f"{n:06d}.jpg")
        rows.append(_row(n, digest, rng))
    state = folder / ".dtst/buckets/cluster"
    centres = rng.normal(size=(clusters, WIDTH)).astype(np.float32)
    for start in range(0, images, SHARD):
        part = slice(start, start + SHARD)
        noise = rng.normal(size=(len(of[part]), WIDTH)).astype(np.float32)
        vectors = np.where(of[part, None] >= 0, centres[of[part]] + 0.6 * noise, noise)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        shard = f"s{start // SHARD:05b}"
        write_table(state / f"inventory/{shard}.jsonl", [])
        write_table(state / f"embeddings/{shard}.jsonl", rows[part])
        np.save(state / f"embeddings/{shard}.npy", vectors.astype(np.float32))
    ends = np.cumsum(sizes)
    found = {
        "parameters": {"model": "arcface", "min_cluster_size": 5, "max_distance": 0.6},
        "clusters": [
            _cluster(rank, rows[end - size : end])
            for rank, (size, end) in enumerate(zip(sizes, ends, strict=True))
        ],
        "noise": [_member(row) for row in rows[ends[-1] :]],
    }
    write_atomic(folder / "cluster/clusters.json", to_json(found, indent=2))


def _pictures(folder: Path, rng: np.random.Generator):
    folder.mkdir(parents=True)
    for n in range(PICTURES):
        path = folder / f"{n}.jpg"
        pixels = rng.integers(0, 255, (14, 14, 3), np.uint8)
        Image.fromarray(pixels).resize((182, 182)).save(path)
        yield path, digest_file(path)


def _row(n: int, digest: str, rng: np.random.Generator) -> dict:
    return {
        "path": f"faces/{n:06d}.jpg",
        "digest": digest,
        "photo": f"{n // 2:032x}",
        "box": [84.72, 63.53, 179.11, 200.44],
        "quality": round(float(rng.random()), 3),
        "aligned": "stored",
        "hash": f"{n:016x}",
        "recognisability": 1.4,
    }


def _member(row: dict) -> dict:
    known = {key: row[key] for key in ("path", "quality", "recognisability", "digest")}
    return {"distance": 0.4} | known | {"file": f"000/{row['path']}"}


def _cluster(rank: int, rows: list[dict]) -> dict:
    return {
        "id": f"{rank:08x}",
        "name": f"Person {rank}" if rank % 10 == 0 else None,
        "rank": rank,
        "folder": f"{rank:03d}",
        "size": len(rows),
        "medoid": rows[0]["path"],
        "members": list(map(_member, rows)),
    }


class Client:
    """A browser's part: requests, and how long they took."""

    def __init__(self) -> None:
        self.http = httpx.Client(follow_redirects=True, timeout=60, verify=False)
        self.times: dict[str, list[float]] = defaultdict(list)

    def open(self, address: str) -> None:
        self.base = address.partition("/?")[0]
        self.http.base_url = httpx.URL(self.base)
        self.get(address.removeprefix(self.base))

    def get(self, path: str, kind: str = "") -> httpx.Response:
        return self._timed(kind, lambda: self.http.get(path))

    def act(self, kind: str, **asked) -> None:
        headers = {"origin": self.base}
        answer = self._timed(
            kind, lambda: self.http.post("/api/act", json=asked, headers=headers)
        )
        answer.raise_for_status()

    def _timed(self, kind: str, call: Callable[[], httpx.Response]) -> httpx.Response:
        began = monotonic()
        answer = call()
        if kind:
            self.times[kind].append(monotonic() - began)
        return answer


def first_view(client: Client) -> list[dict]:
    client.get("/api/state").raise_for_status()
    clusters = client.get("/api/clusters?limit=200").json()["clusters"]
    for cluster in clusters[:40]:
        client.get(f"/thumb/{cluster['medoid']}?side=320").raise_for_status()
    return clusters


def session(client: Client) -> None:
    """Ask for all kinds of things, while facts are computed and afterwards."""
    drawn = random.Random(0)
    state = client.get("/api/state").json()
    total = state["clusters"]
    for _ in range(10):
        for sort in ("size", "doubt", "name", "quality"):
            offset = drawn.randrange(total)
            client.get(f"/api/clusters?sort={sort}&offset={offset}", "200 clusters")
        clusters = client.get("/api/clusters?limit=200").json()["clusters"]
        clusters += client.get(f"/api/clusters?offset={offset}").json()["clusters"]
        for cluster in drawn.sample(clusters, 5):
            for order in ("best", "doubt"):
                path = f"/api/clusters/{cluster['id']}?order={order}"
                client.get(path, "a cluster")
        client.get("/api/noise", "noise")
        client.get("/api/questions", "questions")
        for _ in range(10):
            n = drawn.randrange(state["images"])
            client.get(f"/thumb/{n}", "thumbnail")
            client.get(f"/api/image/{n}", "facts of an image")
        ids = [cluster["id"] for cluster in clusters[:2]]
        known = {"clustering": state["clustering"]}
        client.act("an edit", action="merge", clusters=ids, **known)
        images = [drawn.randrange(state["images"]) for _ in range(20)]
        client.act("an edit", action="reject", images=images, **known)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--clusters", type=int, default=5_000)
    options = parser.parse_args()
    if not options.folder.exists():
        make(options.folder, options.images, options.clusters)
    (options.folder / "cluster/labels.csv").unlink(missing_ok=True)
    words = ["review", "-d", str(options.folder), "--no-browser", "--json"]
    client = Client()
    began = monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", START, *words], stdout=subprocess.PIPE
    )
    client.open(json.loads(process.stdout.readline())["address"])
    first_view(client)
    used = sum(psutil.Process(process.pid).cpu_times()[:2])
    print(
        f"first view: {monotonic() - began:.2f} s after the start, {used:.2f} s of CPU"
    )
    session(client)
    early, client.times = client.times, defaultdict(list)
    while not client.get("/api/state").json()["facts"]:
        sleep(0.2)
    print(f"facts: {monotonic() - began:.1f} s after the start")
    session(client)
    for kind, times in itertools.chain(
        [(f"{k}, at first", t) for k, t in early.items()], client.times.items()
    ):
        middle, most = statistics.median(times), max(times)
        print(f"{kind:28} {middle * 1000:6.0f} ms, {most * 1000:6.0f} ms at most")
    memory = psutil.Process(process.pid).memory_full_info()
    print(
        f"memory: {memory.uss / 1e6:.0f} MB, with mapped files {memory.rss / 1e6:.0f}"
    )
    process.send_signal(signal.SIGINT)
    process.wait()


if __name__ == "__main__":
    main()
