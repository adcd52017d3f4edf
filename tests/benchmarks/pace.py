"""What an image costs, beside the bare loop: CPU seconds of all processes, and wall time.

    python tests/benchmarks/pace.py --models DIR [--images 324] [--photos DIR]
        [--engines yunet dlib] [--clip FILE] [--ultralytics PYTHON --detector ONNX]
        [--peer DTST] [CHECKOUT ...]

DIR holds weights as DTST_MODELS does; of a model without weights nothing is measured.
Photos are 1280 x 960, made from those that packages bring or from those in a
folder. Each line has been run `--tries` times, all its columns in turn, and shows the least:

bare         `bare.py`, the loop that does what must be done
ours         this checkout, and others; first of two photos, then of all, as what is between
             them tells what an image costs without what a run costs
peer         another program of the same words

With PYTHON, one that has Ultralytics, its own predictor is beside `dtst detect`. At the end
steps of one process are told apart (`steps.py`).
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import chdir, closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import portraits
import steps
from commands import START

from dtst_flow.dataset import sidecars
from dtst_flow.embed import embedders
from dtst_flow.faces import engines
from dtst_flow.faces.base import Engine
from dtst_flow.models import store
from dtst_flow.models.errors import ModelError
from dtst_flow.stages.extract_faces import records
from dtst_flow.stages.face_options import Options
from dtst_flow.utils.files import digest_file

HERE = Path(__file__).resolve().parents[2]
BARE = Path(__file__).parent / "bare.py"
FEW = 2


class Cost(NamedTuple):
    """What a command took, in seconds."""

    cpu: float
    wall: float


def cost(words: list[str], folder: Path, checkout: Path = HERE) -> Cost:
    """Run a command in a folder."""
    paths = map(str, (checkout / "scripts", Path(__file__).parent))
    variables = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(words, cwd=folder, env=variables, capture_output=True)
    wall, after = time.perf_counter() - start, os.times()
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed:\n{done.stderr.decode()}")
    user = after.children_user - before.children_user
    return Cost(user + after.children_system - before.children_system, wall)


class Bench:
    """The commands to compare, and the datasets that they run in.

    Args:
        folder: An empty one.
        asked: The command line.
    """

    def __init__(self, folder: Path, asked: argparse.Namespace):
        self.folder = folder
        self.asked = asked
        photos = asked.photos or None
        sources = portraits.photos_in(photos) if photos else portraits.packaged_photos()
        with closing(finder()) as finds:
            portraits.make(sources, finds, folder / "photos", asked.images)
        self.photos = sorted((folder / "photos").iterdir())
        self.crops: Path | None = None
        """Those of the first engine."""

    def dataset(self, name: str, count: int) -> Path:
        """Make a dataset of the first photos, a new one."""
        dataset = self.folder / name
        shutil.rmtree(dataset, ignore_errors=True)
        (dataset / "images").mkdir(parents=True)
        for photo in self.photos[:count]:
            shutil.copy(photo, dataset / "images")
        return dataset

    def run(self, name: str, words: list[str], count: int, checkout: Path) -> Cost:
        """Run a command of a checkout on so many photos from nothing."""
        self.dataset(name, count)
        command = [sys.executable, "-P", "-c", START, *words, "-d", name]
        return cost(command, self.folder, checkout)

    def bare(
        self, name: str, kind: str, weights: list[Path], images: dict[str, Any]
    ) -> Cost:
        """Run the bare loop in a dataset."""
        task = self.folder / "task.json"
        told = {"kind": kind, "weights": list(map(str, weights)), "images": images}
        task.write_text(json.dumps(told))
        python = self.asked.ultralytics if kind == "ultralytics" else sys.executable
        return cost([str(python), str(BARE), str(task)], self.folder / name)

    def line(self, title: str, costs: dict[str, list[Cost]], images: int) -> None:
        """Print a line for each column of costs, by the least of the tries."""
        least = {
            column: Cost(*map(min, zip(*tries, strict=True)))
            for column, tries in costs.items()
        }
        for column, (cpu, wall) in least.items():
            if column.endswith("of two"):
                continue
            few = least.get(f"{column}, of two", Cost(0, 0)).cpu
            each = 1000 * (cpu - few) / (images - (FEW if few else 0))
            ratio = f"{cpu / least['bare'].cpu:6.2f}" if "bare" in least else ""
            print(
                f"{title:20} {column:14} {cpu:8.1f} {wall:8.1f} {few or '':>8.3} "
                f"{each:10.1f} {ratio}",
                flush=True,
            )

    def columns(self) -> Iterator[tuple[str, Path]]:
        """Yield the checkouts by the names of their columns."""
        yield "ours", HERE
        for checkout in self.asked.checkouts:
            yield checkout.name, checkout.resolve()

    def faces(self, engine: str) -> None:
        """Compare the extraction of faces."""
        names = engines.models_of(engine)
        weights = [store.resolve(name).path for name in names]
        words = ["extract-faces", "--from", "images", "--engine", engine, "--yes"]
        costs: dict[str, list[Cost]] = {"bare": []}
        count = self.asked.images
        for _ in range(self.asked.tries):
            for column, checkout in self.columns():
                for title, many in ((f"{column}, of two", FEW), (column, count)):
                    took = self.run(engine, words, many, checkout)
                    costs.setdefault(title, []).append(took)
                if checkout == HERE:
                    known = points_of(self.folder / engine, engine)
            costs["bare"].append(self.bare(engine, engine, weights, known))
            if peer := self.asked.peer:
                self.dataset("peer", count)
                command = [str(peer), *words[:-1], "-d", "peer", "--to", "faces"]
                took = cost(command, self.folder)
                costs.setdefault("peer", []).append(took)
        self.line(engine, costs, count)
        self.crops = self.crops or self.folder / engine / "faces"

    def embed(self) -> None:
        """Compare embedding and clustering the crops that the extraction left.

        Then as foreign ones, without sidecars, whose faces have to be located.
        """
        if not self.crops:
            return
        weights = store.resolve("arcface_mbf", self.asked.arcface)
        words = ["cluster", "--from", "faces", "--yes", "--model", "arcface"]
        words += ["--weights", str(weights.path)]
        faces = {
            f"faces/{path.name}": [sidecars.read(path)["provenance"]["points"]]
            for path in sorted(self.crops.glob("*.jpg"))
        }
        costs: dict[str, list[Cost]] = {"bare": []}
        for _ in range(self.asked.tries):
            for column, checkout in self.columns():
                for kind, left_out in (
                    (column, ()),
                    (f"{column}, foreign", ("*.json",)),
                ):
                    shutil.rmtree(self.folder / "embed", ignore_errors=True)
                    ignore = shutil.ignore_patterns(*left_out)
                    shutil.copytree(
                        self.crops, self.folder / "embed/faces", ignore=ignore
                    )
                    command = [sys.executable, "-P", "-c", START, *words, "-d", "embed"]
                    took = cost(command, self.folder, checkout)
                    costs.setdefault(kind, []).append(took)
            costs["bare"].append(self.bare("embed", "arcface", [weights.path], faces))
        self.line(f"arcface, {len(faces)} crops", costs, len(faces))

    def whole(self, model: str, given: Path | None) -> None:
        """Compare embedding and clustering whole photos."""
        weights = store.resolve(embedders.MODELS[model].weights, given).path
        words = ["cluster", "--from", "images", "--yes", "--model", model]
        self.photo_by_photo(model, words, model, weights)

    def detect(self) -> None:
        """Compare detection with Ultralytics' own predictor, as the bare loop."""
        words = ["detect", "--from", "images", "--classes", "person,tie,bus"]
        weights = self.asked.detector.resolve()
        self.photo_by_photo("detect", words, "ultralytics", weights)

    def photo_by_photo(
        self, title: str, words: list[str], bare: str, weights: Path
    ) -> None:
        """Compare a command with a kind of bare loop that needs to know no faces."""
        words = [*words, "--weights", str(weights)]
        costs: dict[str, list[Cost]] = {"bare": []}
        count = self.asked.images
        images = {f"images/{photo.name}": [] for photo in self.photos}
        for _ in range(self.asked.tries):
            for column, checkout in self.columns():
                for name, many in ((f"{column}, of two", FEW), (column, count)):
                    took = self.run(title, words, many, checkout)
                    costs.setdefault(name, []).append(took)
            costs["bare"].append(self.bare(title, bare, [weights], images))
        self.line(title, costs, count)


def finder() -> Engine:
    """Open an engine to make portraits by."""
    try:
        return engines.open_engine("yunet", [store.resolve("yunet").path])
    except ModelError:
        return engines.open_engine("dlib", [store.resolve("dlib_68_points").path])


def points_of(dataset: Path, engine: str) -> dict[str, Any]:
    """Return the five points of the faces that ours found, by photo."""
    weights = store.resolve_all(dict.fromkeys(engines.models_of(engine)))
    with chdir(dataset), closing(records(Options(engine), weights)) as known:
        return {
            str(path): [
                face["points"] for face in known.get(digest_file(path))["faces"]
            ]
            for path in sorted(Path("images").iterdir())
        }


def machine() -> str:
    """Name the processor, how many cores of it there are, and what else counts."""
    name = platform.processor() or platform.machine()
    with suppress(OSError):
        told = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        name = told[1] if told else name
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{name}, {os.cpu_count()} cores, load {load}, Python {platform.python_version()}"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=store.models_folder())
    parser.add_argument("--images", type=int, default=324)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--engines", nargs="+", default=list(engines.MODELS))
    parser.add_argument("--arcface", type=Path, help="weights instead of arcface_mbf's")
    parser.add_argument("--clip", type=Path, help="weights instead of clip_vit_b32's")
    parser.add_argument("--ultralytics", type=lambda path: Path(path).absolute())
    parser.add_argument("--detector", type=Path, help="an ONNX of Ultralytics'")
    parser.add_argument("--peer", type=Path)
    parser.add_argument("--tries", type=int, default=2)
    parser.add_argument("checkouts", nargs="*", type=Path)
    asked = parser.parse_args()
    if asked.models:
        os.environ["DTST_MODELS"] = str(asked.models.resolve())
    print(machine(), end="\n\n")
    print(
        f"{'':35} {'CPU s':>8} {'wall s':>8} {'of two':>8} {'ms an image':>11} {'by bare':>7}"
    )
    with TemporaryDirectory() as scratch:
        bench = Bench(Path(scratch), asked)
        for engine in asked.engines:
            with suppress(ModelError):
                bench.faces(engine)
        with suppress(ModelError):
            bench.embed()
        for model, given in (("efficientnet", None), ("clip", asked.clip)):
            with suppress(ModelError):
                bench.whole(model, given)
        if asked.ultralytics and asked.detector:
            bench.detect()
        for engine in asked.engines:
            with suppress(ModelError):
                print()
                steps.table(engine, bench.photos)


if __name__ == "__main__":
    main()
