"""What lies around the models costs for many images: Snakemake, inventory, records, files.

    python tests/benchmarks/wide.py --images 1000000 --shard-size 2000 FOLDER
    python tests/benchmarks/wide.py --images 2000 --shard-size 100 --seconds 0.05 --cores 1 FOLDER
    python tests/benchmarks/wide.py --images 1000000 --shard-size 2000 --listing FOLDER

Makes so many tiny images in FOLDER, each of other content, 1000 to a folder, and runs
extract-faces on them. THE ENGINE IS A STAND-IN (stub/sitecustomize.py): it finds one face
in every image without a look and waits --seconds for each. All else is what it is. With
--listing extract-classes is run instead: as no image has a sidecar, it looks for these and
makes nothing, and what is left is the cost of listing and of jobs.

Of each run it tells the seconds of wall time, those of CPU time with all jobs, and the
memory of the largest process: the first run, one with nothing to do, one image added.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from commands import START
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
ENGINE = ["--engine", "dlib", "--workers", "1"]


def make(folder: Path, first: int, last: int) -> None:
    """Write the images from one number up to another."""
    content = io.BytesIO()
    Image.new("RGB", (16, 16), (180, 120, 90)).save(content, "PNG")
    for number in range(first, last):
        path = folder / f"images/{number // 1000:04d}/{number:07d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        # What follows the end of a PNG is not looked at, and makes the content another.
        path.write_bytes(content.getvalue() + number.to_bytes(8, "little"))


def run(name: str, folder: Path, options: argparse.Namespace, *words: str) -> None:
    """Run dtst and print what it cost."""
    paths = [Path(__file__).parent / "stub", ROOT / "scripts"]
    added = {
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "DTST_STUB_SECONDS": str(options.seconds),
    }
    stage = "extract-classes" if options.listing else "extract-faces"
    config = folder / ".dtst.wide.yaml"
    config.write_text(json.dumps({"shard_size": options.shard_size}))
    command = [sys.executable, "-P", "-c", START, stage, config, "-d", folder]
    command += ["--from", "images/*", "--cores", options.cores, "--yes"]
    if not options.listing:
        command += ENGINE
    start = time.perf_counter()
    with open(folder / ".dtst.wide.log", "w") as log:
        process = subprocess.Popen(
            list(map(str, [*command, *words])),
            env=os.environ | added,
            stdout=log,
            stderr=log,
        )
        _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if status:
        raise SystemExit(f"{name} failed, see {folder / '.dtst.wide.log'}")
    cpu, memory = used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3
    print(f"{name:14}{wall:9.1f} s {cpu:9.1f} s CPU {memory:8.0f} MB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--shard-size", type=int, default=256)
    parser.add_argument("--listing", action="store_true")
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    options = parser.parse_args()
    folder = options.folder.resolve() / "wide"
    make(folder, 0, options.images)
    run("dry run", folder, options, "--dry-run")
    run("first run", folder, options)
    run("nothing to do", folder, options)
    make(folder, options.images, options.images + 1)
    run("one added", folder, options)
    state = folder / ".dtst"
    files = [entry for entry in state.rglob("*") if entry.is_file()]
    shards = len(list((state / "buckets").glob("*/inventory/*.jsonl")))
    print(f"{options.images} images, {shards} shards; {len(files)} files under .dtst")


if __name__ == "__main__":
    main()
