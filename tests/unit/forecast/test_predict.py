"""What a run will take: from what earlier ones cost, on datasets and tables made up."""

import platform
from dataclasses import replace
from pathlib import Path

import pytest

from dtst_flow.dataset.inventory import split
from dtst_flow.dataset.state import state_of
from dtst_flow.forecast import costs
from dtst_flow.forecast import predict as module
from dtst_flow.forecast.costs import Cost
from dtst_flow.forecast.predict import Counted, Setup, outlook
from dtst_flow.forecast.trial import Trial, spread
from dtst_flow.forecast.verdict import FORECAST
from dtst_flow.utils.files import read_json, write_table

FACES = {
    "from": "images",
    "to": "faces",
    "engine": "dlib",
    "search": True,
    "weights": None,
    "workers": 1,
}
CLUSTER = {
    "from": "faces",
    "to": "cluster",
    "model": "dlib",
    "clip_model": "x",
    "weights": None,
    "link": "copy",
}
SETUP = Setup(cores=2, gpu=False, shard_size=1000, planning=4.0)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A dataset folder whose free room is known, and where no trial tells anything."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        module.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 5e9})
    )
    trials(monkeypatch)
    return tmp_path


def trials(monkeypatch, **found: Trial) -> list[str]:
    """Have trials find this, by stage; returns the stages that are tried."""
    tried = []

    def run(self, stage, settings, images):
        tried.append(stage)
        return found.get(stage)

    monkeypatch.setattr(module.Trials, "run", run)
    return tried


def cost(rule: str, settings: dict | None = None, **values) -> Cost:
    given = {
        "depends": costs.depends(rule, settings, False) if settings else "",
        "dataset": str(Path.cwd()),
        "host": platform.node(),
        "jobs": 1,
        "timed": 10,
        "seconds": 5.0,
        "begun": 3.0,
        "memory": 200e6,
        "images": 100,
    }
    return Cost(rule, **given | values)


def photos(count: int, todo: int, **settings) -> Counted:
    files = {f"images/{n:04d}.jpg": 500_000 for n in range(count)}
    said = f"{count} images"
    return Counted("extract_faces", FACES | settings, said, files, list(files)[:todo])


def crops(files: dict[str, int], todo: int, **settings) -> Counted:
    images = [path for path in files if path.endswith(".jpg")]
    return Counted("cluster", CLUSTER | settings, "crops", files, images[:todo])


def made(images: int, each: int) -> None:
    """Tables of a run of extract-faces, crops of 8 kB with a sidecar of 1 kB."""
    rows = [
        {
            "path": f"images/{n:04d}.jpg",
            "crops": [
                {"path": f"{n:04d}_{i:02d}.jpg", "stat": [8000, 1], "sidecar": [900, 1]}
                for i in range(each)
            ],
        }
        for n in range(images)
    ]
    write_table(state_of("faces") / "faces/s.jsonl", rows)


def seconds() -> float:
    """How long the run was said to take."""
    return read_json(FORECAST)["seconds"]


class TestTime:
    def test_is_that_of_images_and_of_what_jobs_begin_with(self):
        costs.keep([cost("extract_faces", FACES), cost("run", begun=6.0, jobs=2)])
        _, told = outlook("extract-faces", [photos(80, 40)], SETUP)
        # 3 around the job, 3 to begin, 40 images of half a second.
        assert told.startswith("  about 26 s on 1 core, ") and "200 MB of mem" in told

    def test_jobs_share_the_cores(self):
        costs.keep([cost("extract_faces", FACES), cost("run", begun=6.0, jobs=2)])
        setup = replace(SETUP, shard_size=100)
        _, told = outlook("extract-faces", [photos(160, 160)], setup)
        assert "on 2 cores" in told and "400 MB of memory" in told
        larger = max(map(len, split(photos(160, 0).images, 100).values()))
        assert seconds() == pytest.approx(3 + 3 + larger * 0.5, abs=0.1)

    def test_workers_share_a_job(self):
        costs.keep([cost("extract_faces", FACES), cost("run", begun=6.0, jobs=2)])
        list(outlook("extract-faces", [photos(80, 40, workers=2)], SETUP))
        assert seconds() == pytest.approx(3 + 3 + 10, abs=0.1)

    def test_without_runs_on_these_images_a_trial_tells(self, monkeypatch):
        costs.keep([cost("extract_faces", FACES, dataset="/other"), cost("run")])
        tried = trials(
            monkeypatch,
            extract_faces=Trial(cost("extract_faces", FACES, seconds=20.0), 5, []),
        )
        _, told = outlook("extract-faces", [photos(80, 40)], SETUP)
        assert told.startswith("  about 1 min 26 s on")
        assert told.endswith("; calibrated on 5 images") and tried == ["extract_faces"]

    def test_small_and_large_images_are_tried(self, monkeypatch):
        given = []
        monkeypatch.setattr(module.Trials, "run", lambda *words: given.append(words[3]))
        files = {f"images/{n}.jpg": n * 7 % 10 for n in range(10)}
        list(
            outlook(
                "x", [Counted("extract_faces", FACES, "", files, list(files))], SETUP
            )
        )
        assert [files[path] for path in given[0]] == list(range(10))

    def test_a_trial_that_tells_nothing_is_said_and_no_sum_made(self):
        costs.keep([cost("embed", CLUSTER)])
        stages = [photos(80, 40), crops({"faces/a.jpg": 9}, 1)]
        _, told, *more = outlook("faces", stages, SETUP)
        assert "how long is not known" in told
        assert not any(line.startswith("together") for line in more)
        assert not FORECAST.exists()

    def test_cutting_is_guessed_where_a_trial_found_nothing_to_cut(self):
        files = {"images/a.jpg": 9}
        stage = Counted("extract_classes", {"to": "crops"}, "", files, list(files))
        _, told = outlook("extract-classes", [stage], SETUP)
        assert told.endswith("; guessed")

    def test_nothing_to_compute_takes_no_words(self, monkeypatch):
        tried = trials(monkeypatch)
        FORECAST.parent.mkdir()
        FORECAST.write_text("of before")
        assert list(outlook("extract-faces", [photos(80, 0)], SETUP)) == [
            "extract-faces: 80 images"
        ]
        assert tried == [] and not FORECAST.exists()

    def test_elsewhere_the_work_is_told(self):
        costs.keep([cost("extract_faces", FACES)])
        setup = replace(SETUP, elsewhere=True)
        _, told = outlook("extract-faces", [photos(80, 40)], setup)
        assert told == "  about 23 s of CPU time"
        assert not FORECAST.exists()


class TestClustering:
    def forecast(self, images: int) -> str:
        """What is told of so many crops, of which embedding takes 11 seconds."""
        files = {f"faces/{n}.jpg": 8000 for n in range(images)}
        _, told = outlook("cluster", [crops(files, 10)], SETUP)
        return told

    @pytest.fixture(autouse=True)
    def known(self):
        costs.keep([cost("embed", CLUSTER), cost("run", begun=3.0)])

    def test_takes_what_it_took_for_as_many(self):
        costs.keep([cost("cluster", CLUSTER, begun=7.0, seconds=1.0, images=200)])
        told = self.forecast(200)
        assert seconds() == pytest.approx(11 + 7 + 200 * 0.1, abs=0.1)
        assert "scaled" not in told and "guessed" not in told

    def test_is_scaled_from_the_nearest(self):
        near = cost("cluster", CLUSTER, begun=7.0, seconds=0.1, images=50)
        costs.keep([cost("cluster", CLUSTER, begun=99.0, images=1), near])
        assert "clustering scaled from 50 images" in self.forecast(200)
        assert seconds() == pytest.approx(11 + 7 + 200 * 0.01, abs=0.1)

    def test_is_guessed_where_it_never_ran(self):
        assert "clustering guessed" in self.forecast(200)


class TestStagesToCome:
    @pytest.fixture(autouse=True)
    def known(self):
        costs.keep(
            [
                cost("extract_faces", FACES),
                cost("embed", CLUSTER),
                cost("cluster", CLUSTER),
            ]
        )

    def lines(self, *stages: Counted) -> list[str]:
        return list(outlook("faces", list(stages), SETUP))

    def test_crops_to_come_are_as_many_of_an_image_as_there_are(self):
        made(30, each=2)
        there = {f"faces/{n:04d}_0{i}.jpg": 8000 for n in range(30) for i in (0, 1)}
        new = {f"images/1{n:03d}.jpg": 9 for n in range(50)}
        photo = photos(30, 0)
        stage = Counted(photo.stage, FACES, "80 images", photo.files | new, list(new))
        lines = self.lines(stage, crops(there, 0))
        assert lines[2] == "cluster: crops; about 100 new or changed"
        assert lines[4].startswith("together about ")
        assert read_json(FORECAST)["images"] == {"extract_faces": 50}

    def test_those_of_a_changed_photo_come_instead_of_those_there(self):
        made(30, each=2)
        there = {f"faces/{n:04d}_0{i}.jpg": 8000 for n in range(30) for i in (0, 1)}
        lines = self.lines(photos(30, 15), crops(there, 60))
        assert lines[2].endswith("about 30 new or changed")
        # 30 crops stay and 30 come, which are embedded and laid out; 4 around each stage.
        faces, faces_clustered = 3 + 15 * 0.5, 3 + 60 * 0.5 + 3 + 60 * 0.5
        assert seconds() == pytest.approx(8 + faces + faces_clustered, abs=0.1)

    def test_a_trial_tells_how_many_where_there_are_none(self, monkeypatch):
        found = Trial(cost("extract_faces", FACES), 5, [8900] * 15)
        trials(monkeypatch, extract_faces=found)
        faces = photos(80, 80, engine="scrfd")
        lines = self.lines(faces, Counted("cluster", CLUSTER, "faces is not there yet"))
        assert lines[2] == "cluster: faces is not there yet; about 240 to come"

    def test_else_one_is_taken_of_each(self):
        lines = self.lines(
            photos(80, 80), Counted("cluster", CLUSTER, "faces is not there yet")
        )
        assert lines[2].endswith("about 80 to come")


class TestDisk:
    def disk(self, *stages: Counted) -> str:
        costs.keep([cost("extract_faces", FACES), cost("embed", CLUSTER)])
        told = list(outlook("x", list(stages), SETUP))[-1]
        return told.split(", ")[1]

    def test_crops_take_what_those_there_do(self):
        made(10, each=2)
        # A record for each image, and three blocks of 4096 bytes for a crop of 8900.
        images = photos(1000, 0).files
        stage = Counted("extract_faces", FACES, "", images, list(images)[10:])
        assert 990 * (500 + 2 * 12288) // 10**6 == 24
        assert self.disk(stage) == "25 MB on disk (5 GB free)"

    @pytest.mark.parametrize(
        ("link", "size"),
        [("copy", "28 MB"), ("hard", "7.5 MB"), ("symbolic", "7.5 MB")],
    )
    def test_copies_take_the_room_of_the_files_and_links_none(self, link, size):
        files = {
            f"faces/{n}.jpg{x}": 20_000 if not x else 900
            for n in range(1000)
            for x in ("", ".json")
        }
        costs.keep([cost("embed", CLUSTER)])
        assert self.disk(crops(files, 1000, link=link)).startswith(size)

    def test_too_little_is_said(self, monkeypatch):
        files = {f"faces/{n}.jpg": 2_000_000_000 for n in range(3)}
        costs.keep([cost("embed", CLUSTER)])
        *_, said = outlook("cluster", [crops(files, 3)], SETUP)
        assert said.startswith("the disk is too small: 6 GB are needed, 5 GB are free")


@pytest.mark.parametrize(("count", "tried"), [(0, 0), (3, 3), (5, 5), (1000, 5)])
def test_images_to_try_are_spread_over_all(count, tried):
    images = [str(n) for n in range(count)]
    chosen = spread(images, 5)
    assert len(chosen) == len(set(chosen)) == tried
    if count > 5:
        assert chosen == ["100", "300", "500", "700", "900"]
