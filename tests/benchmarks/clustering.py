"""CPU time and memory of HDBSCAN: ours, hdbscan's and scikit-learn's, in matrix products.

    python tests/benchmarks/clustering.py --rows 2000 20000 --hdbscan 20000

Vectors are like those of faces: people of very uneven numbers of photos, and a fifth of
the rows nobody twice. Every cell of the table is a process of its own; times are CPU
time of all its threads once everything is imported and compiled, memory is the most that
it ever held, imports, vectors and all. `product` is all rows times all rows in float32 by
numpy, in one thread, which is its cheapest. Equal labels have an equal digest.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256

import numpy as np

MIN_CLUSTER_SIZE, MIN_SAMPLES = 5, 2
STRIP = 2048
"""Rows of the plain product at a time: all would take rows**2 memory."""

Way = Callable[[np.ndarray], np.ndarray | None]


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def faces(rows: int, dimensions: int, seed: int = 0) -> np.ndarray:
    """Return (rows, dimensions) float32 unit vectors, 25 to a person on average.

    Two photos of one person have a cosine of 0.45 to 0.75, strangers of about 0.
    """
    random = np.random.default_rng(seed)
    people = max(2, rows // 25)
    share = random.lognormal(0, 1, people)
    person = random.choice(people, rows, p=share / share.sum())
    likeness = random.uniform(0.45, 0.75, people).astype(np.float32)[person, None]
    likeness[random.random(rows) < 0.2] = 0
    centres = unit(random.standard_normal((people, dimensions), np.float32))
    vectors = unit(random.standard_normal((rows, dimensions), np.float32))
    vectors *= np.sqrt(1 - likeness)
    vectors += np.sqrt(likeness) * centres[person]
    return unit(vectors)


def product() -> Way:
    from threadpoolctl import threadpool_limits

    def run(vectors: np.ndarray) -> None:
        other = vectors.copy()
        out = np.empty((STRIP, len(vectors)), np.float32)
        with threadpool_limits(1, "blas"):
            for start in range(0, len(vectors), STRIP):
                strip = vectors[start : start + STRIP]
                np.matmul(strip, other.T, out=out[: len(strip)])

    return run


def ours() -> Way:
    from dtst_flow.cluster.hdbscan import cluster

    return lambda vectors: cluster(vectors, MIN_CLUSTER_SIZE, MIN_SAMPLES).labels


def hdbscan() -> Way:
    from hdbscan import HDBSCAN

    model = HDBSCAN(
        min_cluster_size=MIN_CLUSTER_SIZE, min_samples=MIN_SAMPLES, core_dist_n_jobs=1
    )
    return lambda vectors: model.fit_predict(vectors.astype(np.float64))


def sklearn() -> Way:
    from sklearn.cluster import HDBSCAN

    # Its min_samples counts the row itself.
    model = HDBSCAN(
        min_cluster_size=MIN_CLUSTER_SIZE,
        min_samples=MIN_SAMPLES + 1,
        algorithm="brute",
        copy=True,
    )
    return lambda vectors: model.fit_predict(vectors.astype(np.float64))


WAYS = {way.__name__: way for way in (product, ours, hdbscan, sklearn)}


def measure(way: str, rows: int, dimensions: int) -> dict:
    """Run one way in this process; seconds, megabytes, labels."""
    run = WAYS[way]()
    run(faces(200, dimensions))
    vectors = faces(rows, dimensions)
    start = time.process_time()
    labels = run(vectors)
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result = {"seconds": seconds, "megabytes": peak, "clusters": "", "digest": ""}
    if labels is not None:
        result["clusters"] = int(labels.max()) + 1
        result["digest"] = sha256(labels.astype(np.int64).tobytes()).hexdigest()[:8]
    return result


def in_a_process(way: str, rows: int, dimensions: int) -> dict:
    command = [sys.executable, __file__, "--rows", str(rows), "--cell", way]
    command += ["--dimensions", str(dimensions)]
    done = subprocess.run(command, capture_output=True)
    if done.returncode:  # a crash or want of memory costs its own cell
        nothing = {"seconds": float("nan"), "megabytes": float("nan"), "clusters": ""}
        return nothing | {"digest": f"died ({done.returncode})"}
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--rows", type=int, nargs="+", default=[2000, 5000, 10000, 20000, 50000]
    )
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument(
        "--hdbscan", type=int, default=5000, help="most rows it is given; it is slow"
    )
    parser.add_argument(
        "--sklearn", type=int, default=10000, help="most rows; it holds all distances"
    )
    parser.add_argument("--cell", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.cell:
        result = measure(options.cell, options.rows[0], options.dimensions)
        print(json.dumps(result))
        return
    most = {"hdbscan": options.hdbscan, "sklearn": options.sklearn}
    print(
        f"{'rows':>7} {'way':8} {'CPU s':>8} {'products':>8} {'MB':>6} "
        f"{'clusters':>8} labels"
    )
    for rows in options.rows:
        one = None
        for way in WAYS:
            if rows > most.get(way, rows):
                continue
            cell = in_a_process(way, rows, options.dimensions)
            one = one or cell["seconds"]
            print(
                f"{rows:7} {way:8} {cell['seconds']:8.2f} {cell['seconds'] / one:8.2f} "
                f"{cell['megabytes']:6.0f} {cell['clusters']:>8} {cell['digest']}",
                flush=True,
            )


if __name__ == "__main__":
    main()
