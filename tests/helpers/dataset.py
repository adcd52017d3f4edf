"""A dataset of real photos, and real runs of Snakemake on it."""

import json
import os
import re
import shutil
from pathlib import Path

from helpers import loaded

ROOT = Path(__file__).resolve().parents[2]

DLIB = {
    "extract_faces": {"engine": "dlib", "workers": 1},
    "cluster": {"model": "dlib", "count_duplicates": True, "workers": 1},
}
"""Path A on the models that pip brings, each loaded once for a shard of few photos."""


NOTHING = "Nothing to be done"
"""What Snakemake says where all is done."""


class Dataset:
    """A dataset folder and the runs on it; `code` is how the last one of Snakemake ended."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.code = 0

    def run(self, *words: str, settings: dict = DLIB, ok: bool | None = True) -> str:
        """Run Snakemake as a user would; returns all that it printed.

        ok  whether it must succeed or fail; None when it may do either
        """
        override = self.folder.parent / f"{self.folder.name}.override.json"
        override.write_text(
            json.dumps(
                {"root": str(self.folder.parent), "dataset": self.folder.name}
                | settings
            )
        )
        return self.snakemake("--configfile", str(override), *words, ok=ok)

    def snakemake(
        self,
        *words: str,
        ok: bool | None = True,
        snakefile: Path = ROOT / "Snakefile",
    ) -> str:
        """Run Snakemake with words of one's own, on the workflow or another Snakefile."""
        words = ("snakemake", "-s", str(snakefile), *words)
        self.code, printed = loaded.run(words, self.folder.parent, environment())
        return _checked(self.code, printed, ok)

    def dtst(self, *words: str, ok: bool = True) -> str:
        """Run the wrapper."""
        words = ("dtst", *words)
        return _checked(*loaded.run(words, self.folder.parent, environment()), ok)

    def computed(self) -> dict[str, int]:
        """Rule -> images that the jobs of the last run computed."""
        counts: dict[str, int] = {}
        for path in (self.folder / ".dtst/progress").glob("*.json"):
            rule = path.name.partition(".")[0]
            counts[rule] = (
                counts.get(rule, 0) + json.loads(path.read_text())["computed"]
            )
        return counts

    def jobs(self) -> dict[str, int]:
        """Rule -> how many of its jobs ran in the last run."""
        names = [p.name for p in (self.folder / ".dtst/progress").glob("*.json")]
        rules = [name.partition(".")[0] for name in names]
        return {rule: rules.count(rule) for rule in set(rules)}

    def results(self) -> dict[str, bytes]:
        """Path -> content of everything the user sees, below the dataset.

        But for the ids of clusters, in which a history shows.
        """
        return {
            path.relative_to(self.folder).as_posix(): without_ids(path)
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
            and path.relative_to(self.folder).parts[0] not in (".dtst", ".snakemake")
        }

    def listing(self) -> dict[str, tuple[int, int]]:
        """Path -> size and time, of the folder and all in it: the workflow's state, too."""
        paths = [self.folder, *self.folder.rglob("*")]
        stats = {str(path): path.lstat() for path in paths}
        return {path: (stat.st_size, stat.st_mtime_ns) for path, stat in stats.items()}

    def clusters(self) -> dict:
        return json.loads((self.folder / "cluster/clusters.json").read_text())

    def from_nothing(self, folder: Path) -> "Dataset":
        """The same sources in another place, nothing run there yet."""
        folder = folder / self.folder.name
        shutil.copytree(self.folder / "images", folder / "images")
        return Dataset(folder)

    def copy(self, folder: Path) -> "Dataset":
        """A copy in another place, to change at will."""
        shutil.copytree(self.folder, folder / self.folder.name, symlinks=True)
        return Dataset(folder / self.folder.name)


def _checked(code: int, printed: str, ok: bool | None) -> str:
    assert ok is None or (code == 0) is ok, printed
    return printed


def copy_photos(shots: Path, pattern: str, folder: Path) -> None:
    """Copy those of the demonstration's photos whose names match, without suffix."""
    for path in sorted(shots.glob(f"images/*/{pattern}.jpg")):
        target = folder / path.relative_to(shots)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


def photos_of(dataset: Dataset) -> list[Path]:
    return sorted((dataset.folder / "images").rglob("*.jpg"))


def without_ids(path: Path) -> bytes:
    """Content of a file; of clusters.json without the ids."""
    content = path.read_bytes()
    if path.name != "clusters.json":
        return content
    return re.sub(rb'\n *"id": "\w+",', b"", content)


def environment() -> dict[str, str]:
    """The variables with which the program is started.

    Python may keep what it compiled of the package, as it does for users.
    """
    path = [str(ROOT / "scripts"), *filter(None, [os.environ.get("PYTHONPATH")])]
    known = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return known | {"PYTHONPATH": os.pathsep.join(path)}
