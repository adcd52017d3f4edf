"""Any history of videos, edits of their frames, and settings, against a run from nothing.

As test_histories.py has it for photos; but for Snakemake, so that many are tried.
"""

import random
import shutil
from pathlib import Path

import pytest

from dtst_flow.dataset import digests, inventory
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.state import state_of
from dtst_flow.stages.contract import ShardJob
from dtst_flow.stages.extract_frames import STAGE, Options
from dtst_flow.stages.shards import Shard
from dtst_flow.utils.tables import read_table
from helpers.user import alike
from helpers.videos import pattern, write

TO = "images/frames"

NAMES = ("videos/a.mp4", "videos/b.mkv", "videos/A.avi", "videos/c.mp4")

CHOICES = {
    "keyframes": (1, 2, 0.5),
    "every": (None, 0.7),
    "scenes": (False, True),
    "min_difference": (4, 0),
    "format": ("jpg", "png"),
    "quality": (95, 50),
}

USUAL = {f.name: f.default for f in Options.__dataclass_fields__.values()} | {"to": TO}


@pytest.fixture(scope="module")
def pool(tmp_path_factory) -> list[bytes]:
    """Contents of videos, one cut, one none."""
    folder = tmp_path_factory.mktemp("pool")
    paths = [
        write(folder / f"{i}.mkv", (pattern(i + n // 6) for n in range(24)), gop=6)
        for i in range(4)
    ]
    whole = [path.read_bytes() for path in paths]
    return [*whole, whole[0][: len(whole[0]) // 2], b"no video"]


class User:
    """Who edits videos and their frames, in the working directory."""

    def __init__(self, seed: int, pool: list[bytes]):
        self.chance, self.pool = random.Random(seed), pool
        self.settings = USUAL | {"keyframes": 1}
        self.own: dict[str, bytes] = {}

    def frames(self) -> list[Path]:
        return sorted(p for p in Path(TO).glob("*") if p.as_posix() not in self.own)

    def put_video(self):
        path = Path(self.chance.choice(NAMES))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(self.chance.choice(self.pool))

    def rename_video(self):
        there = [name for name in NAMES if Path(name).exists()]
        free = [name for name in NAMES if not Path(name).exists()]
        if there and free:
            Path(self.chance.choice(there)).rename(self.chance.choice(free))

    def delete_video(self):
        Path(self.chance.choice(NAMES)).unlink(missing_ok=True)

    def write_sidecar(self):
        said = self.chance.choice(['{"source": "me"}', '{"x": 1}', "broken"])
        Path(self.chance.choice(NAMES) + ".json").write_text(said)

    def edit_frame(self):
        images = [p for p in self.frames() if p.suffix != ".json"]
        if images:
            self.chance.choice(images).write_bytes(b"edited")

    def delete_frame(self):
        if found := self.frames():
            self.chance.choice(found).unlink()

    def add_own(self):
        Path(TO).mkdir(parents=True, exist_ok=True)
        path = Path(TO, self.chance.choice(("mine.jpg", "a_00099000.jpg", "note.txt")))
        path.write_bytes(b"mine")
        self.own[path.as_posix()] = b"mine"

    def choose(self):
        name = self.chance.choice(sorted(CHOICES))
        self.settings[name] = self.chance.choice(CHOICES[name])

    def lose_ledger(self):
        """Where all is as it was written, so that the files can tell."""
        run(self.settings)
        ledgers = Ledgers(TO, state_of(TO))
        if all(map(ledgers.intact, ledgers.owned().values())):
            shutil.rmtree(state_of(TO), ignore_errors=True)
            run(self.settings)

    def run(self):
        run(self.settings)

    def step(self):
        steps = [n for n in vars(User) if n[0] != "_" and n not in ("frames", "step")]
        step = self.chance.choice(sorted(steps))
        getattr(self, step)()
        return step


def run(settings: dict) -> None:
    """What the jobs of a run do."""
    state = state_of(TO)
    shutil.rmtree(state / "inventory", ignore_errors=True)
    Path("videos").mkdir(exist_ok=True)
    listed = (state / "inventory", state / digests.FILE)
    inventory.write(".", ["videos"], *listed, 9, kind="videos")
    if not inventory.shards(state / "inventory"):
        return
    tables = [str(state / name / "s.jsonl") for name in ("frames", "failed")]
    STAGE.run(ShardJob(str(state / "inventory/s.jsonl"), *tables), settings)
    shard = Shard(*tables)
    shard.sum_up(STAGE.tally)
    failed = list(read_table(shard.failed))
    if shard.tally or failed:
        STAGE.commit({"s": shard}, failed, TO)


def results() -> dict[str, bytes]:
    return {p.as_posix(): p.read_bytes() for p in Path(TO).rglob("*") if p.is_file()}


@pytest.mark.parametrize("seed", range(6))
def test_any_history_ends_where_a_run_from_nothing_does(
    seed, pool, tmp_path, monkeypatch, long, survived
):
    for number in range(40 if long else 1):
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        survived["edit sequences run"] += 1
        user = User(random.randrange(10**9) if long else seed, pool)
        user.put_video()
        steps = [user.step() for _ in range(10)]
        Path(NAMES[0]).write_bytes(pool[0])  # something to work on
        run(user.settings)
        ours = results()
        assert {path: ours.get(path) for path in user.own} == user.own
        (folder / "anew").mkdir()
        shutil.copytree("videos", "anew/videos")
        monkeypatch.chdir("anew")
        for path, content in user.own.items():
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_bytes(content)
        run(user.settings)
        theirs = results()
        assert ours.keys() == theirs.keys(), steps
        assert all(alike(path, ours[path], theirs[path]) for path in ours)
        survived["edit sequences right"] += 1
