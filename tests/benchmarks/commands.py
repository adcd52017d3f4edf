"""What commands cost: CPU seconds of all their processes, the least of several tries.

Of this checkout, and of others side by side, taken in turn:

    python tests/benchmarks/commands.py [--photos 60] [CHECKOUT ...]

The photos are made from one that scikit-image brings, with one face each, and found by dlib.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from skimage import data

HERE = Path(__file__).resolve().parents[2]

START = "from dtst_flow.cli.start import start; start()"

WORDS = ["extract-faces", "-d", "crowd", "--from", "images", "--to", "faces"]
WORDS += ["--engine", "dlib", "--cores", "2"]

ONE_MORE = "-n, one photo"
"""Before this one a photo comes."""

COMMANDS = {
    "--help": ["--help"],
    "nothing to do": WORDS,
    ONE_MORE: [*WORDS, "-n"],
    "one photo": WORDS,
}

TRIES = 5


def write_photo(folder: Path, number: int) -> None:
    """Write a photo that no other is like."""
    shifted = np.roll(data.astronaut(), number, axis=1)
    Image.fromarray(shifted).save(folder / f"{number:03d}.jpg", quality=95)


def cost(checkout: Path, folder: Path, *words: str) -> float:
    """Run a command of a checkout in a folder; returns its CPU seconds."""
    before = os.times()
    subprocess.run(
        [sys.executable, "-P", "-c", START, *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(checkout / "scripts")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    after = os.times()
    return (
        after.children_user
        + after.children_system
        - before.children_user
        - before.children_system
    )


def main() -> None:
    """Print a table: a command a row, a checkout a column."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("checkouts", nargs="*", type=Path, default=[])
    asked = parser.parse_args()
    checkouts = [HERE, *(path.resolve() for path in asked.checkouts)]
    costs: dict[tuple[str, Path], list[float]] = {}
    with TemporaryDirectory() as scratch:
        folders = {each: Path(scratch, str(i)) for i, each in enumerate(checkouts)}
        for checkout, folder in folders.items():
            (folder / "crowd/images").mkdir(parents=True)
            for number in range(asked.photos):
                write_photo(folder / "crowd/images", number)
            cost(checkout, folder, *WORDS)
        for number in range(asked.photos, asked.photos + TRIES):
            for checkout, folder in folders.items():
                for name, words in COMMANDS.items():
                    if name == ONE_MORE:
                        write_photo(folder / "crowd/images", number)
                    seconds = cost(checkout, folder, *words)
                    costs.setdefault((name, checkout), []).append(seconds)
    for name in COMMANDS:
        row = (f"{min(costs[name, checkout]):8.2f}" for checkout in checkouts)
        print(f"{name:16}", *row)


if __name__ == "__main__":
    main()
