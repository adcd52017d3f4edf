"""What a run will take: from what earlier ones cost, on datasets and tables made up."""

from dataclasses import replace
from pathlib import Path

import pytest

from dtst_flow.dataset.scan import Listing
from dtst_flow.dataset.state import state_of
from dtst_flow.forecast import costs
from dtst_flow.forecast import predict as module
from dtst_flow.forecast.costs import Cost
from dtst_flow.forecast.predict import PAIR, Estimate, Setup, told, warnings
from dtst_flow.forecast.verdict import forecast_file, name_of
from dtst_flow.planning.pending import StageWork
from dtst_flow.planning.plan import Plan
from dtst_flow.planning.staleness import Stale
from dtst_flow.stages.crops import CropStats
from dtst_flow.stages.registry import STAGES
from dtst_flow.utils.files import read_json
from dtst_flow.utils.tables import write_table

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
SETUP = Setup(cores=2, gpu=frozenset(), shard_size=1000)


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


def trials(monkeypatch, **found: tuple[Cost, CropStats]) -> list[str]:
    """Have trials find this, by stage; returns the stages that are tried."""
    tried = []

    def try_stage(stage, settings, images, on_gpu, folder):
        tried.append(stage.name)
        return found.get(stage.name)

    monkeypatch.setattr(module, "try_stage", try_stage)
    return tried


def plan(path: str, *works: StageWork) -> Plan:
    settings = {work.stage.name: dict(work.settings) for work in works}
    return Plan(Path.cwd(), path, settings, False)


def forecast(path: str, *works: StageWork, setup: Setup = SETUP) -> list[str]:
    """What is said of a path whose stages would do this."""
    counted = {work.stage.name: work for work in works}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "stale_files", lambda plan: Stale([], []))
        patch.setattr(
            module, "count", lambda plan, stage, listing=None: counted[stage.name]
        )
        return list(module.forecast(plan(path, *works), setup, Listing()))


def cost(rule: str, settings: dict | None = None, **values) -> Cost:
    """A cost in this dataset, of a stage with such settings or around its jobs."""
    key = costs.RUN
    if settings:
        stage = STAGES["cluster" if "link" in settings else rule]
        key = costs.key_of(stage, rule, settings, False)
    given = {"images": 100, "timed": 10, "begin": 3.0, "image": 0.5, "memory": 200e6}
    return Cost(key, **given | values)


def photos(count: int, todo: int, **settings) -> StageWork:
    files = {f"images/{n:04d}.jpg": 500_000.0 for n in range(count)}
    stage, said = STAGES["extract_faces"], f"{count} images"
    return StageWork(stage, FACES | settings, said, files, list(files)[:todo])


def crops(files: dict[str, float], todo: int, **settings) -> StageWork:
    images = [path for path in files if path.endswith(".jpg")]
    stage = STAGES["cluster"]
    return StageWork(stage, CLUSTER | settings, "crops", files, images[:todo])


def nothing_yet() -> StageWork:
    return StageWork(STAGES["cluster"], CLUSTER, "faces is not there yet")


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
    return read_json(forecast_file())[1]


def test_what_is_restored_comes_first(monkeypatch):
    stale = Stale(["x"], ["extract-faces: 1 file was edited"])
    monkeypatch.setattr(module, "stale_files", lambda plan: stale)
    monkeypatch.setattr(module, "count", lambda *asked: photos(80, 0))
    said = list(module.forecast(plan("extract-faces", photos(80, 0)), SETUP, Listing()))
    assert said == ["extract-faces: 1 file was edited", "extract-faces: 80 images"]


class TestTime:
    def test_is_that_of_images_and_of_what_jobs_begin_with(self):
        costs.keep([cost("extract_faces", FACES), cost("run")])
        _, told = forecast("extract-faces", photos(80, 40))
        # 3 around the job, 3 to begin, 40 images of half a second.
        assert told.startswith("  about 26 s on 1 core, ") and "200 MB of mem" in told

    def test_where_no_run_tells_4_seconds_are_taken_for_what_is_around(self):
        costs.keep([cost("extract_faces", FACES)])
        forecast("extract-faces", photos(80, 40))
        assert seconds() == pytest.approx(4 + 3 + 20, abs=0.1)

    def test_jobs_share_the_cores(self):
        costs.keep([cost("extract_faces", FACES), cost("run")])
        setup = replace(SETUP, shard_size=100)
        _, told = forecast("extract-faces", photos(160, 160), setup=setup)
        assert "on 2 cores" in told and "400 MB of memory" in told
        assert seconds() == pytest.approx(3 + 3 + 80 * 0.5, abs=0.1)

    def test_jobs_wait_for_their_turn(self):
        costs.keep([cost("extract_faces", FACES), cost("run")])
        setup = replace(SETUP, shard_size=40)
        forecast("extract-faces", photos(160, 160), setup=setup)
        assert seconds() == pytest.approx(3 + 2 * 3 + 80 * 0.5 + 1, abs=0.1)

    def test_workers_share_a_job(self):
        costs.keep([cost("extract_faces", FACES), cost("run")])
        _, told = forecast("extract-faces", photos(80, 40, workers=2))
        assert "on 2 cores" in told and "200 MB of memory" in told
        assert seconds() == pytest.approx(3 + 3 + 10, abs=0.1)

    def test_jobs_share_the_gpu(self):
        files = {f"faces/{n}.jpg": 8000.0 for n in range(100)}
        setup = replace(SETUP, gpu=frozenset({"embed"}), shard_size=50)
        key = costs.key_of(STAGES["cluster"], "embed", CLUSTER, True)
        costs.keep([replace(cost("run"), key=key)])
        _, told = forecast("cluster", crops(files, 100), setup=setup)
        assert "on 1 core, " in told and "250 MB of memory" in told

    def test_without_runs_on_these_images_a_trial_tells(self, monkeypatch, tmp_path):
        (tmp_path / "other").mkdir()
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path / "other")
            costs.keep([cost("extract_faces", FACES), cost("run")])
        known = cost("", image=2.0, note="calibrated on 5 images")
        tried = trials(monkeypatch, extract_faces=(known, CropStats({})))
        _, told = forecast("extract-faces", photos(80, 40))
        assert told.startswith("  about 1 min 26 s on")
        assert told.endswith("; calibrated on 5 images") and tried == ["extract_faces"]

    def test_small_and_large_images_are_tried(self, monkeypatch):
        given = []
        monkeypatch.setattr(module, "try_stage", lambda *words: given.append(words[2]))
        files = {f"images/{n}.jpg": n * 7.0 % 10 for n in range(10)}
        stage = STAGES["extract_faces"]
        forecast("extract-faces", StageWork(stage, FACES, "", files, list(files)))
        assert [files[path] for path in given[0]] == list(range(10))

    def test_a_trial_that_tells_nothing_is_said_and_no_sum_made(self):
        costs.keep([cost("embed", CLUSTER)])
        stages = [photos(80, 40), crops({"faces/a.jpg": 9.0}, 1)]
        _, told, *more = forecast("faces", *stages)
        assert "how long is not known" in told
        assert not any(line.startswith("together") for line in more)
        assert not forecast_file().exists()

    def test_cutting_is_guessed_where_a_trial_found_nothing_to_cut(self):
        files = {"images/a.jpg": 9.0}
        stage = STAGES["extract_classes"]
        work = StageWork(stage, {"to": "crops"}, "", files, list(files))
        _, told = forecast("extract-classes", work)
        assert told.endswith("; guessed")

    def test_nothing_to_compute_takes_no_words(self, monkeypatch):
        tried = trials(monkeypatch)
        assert forecast("extract-faces", photos(80, 0)) == ["extract-faces: 80 images"]
        assert tried == [] and not forecast_file().exists()

    def test_elsewhere_the_work_is_told(self):
        costs.keep([cost("extract_faces", FACES)])
        setup = replace(SETUP, cores=None)
        _, told = forecast("extract-faces", photos(80, 40), setup=setup)
        assert told == "  about 23 s of CPU time"
        assert not forecast_file().exists()

    def test_a_cache_that_cannot_be_written_takes_no_words_away(self, monkeypatch):
        Path("cache").write_text("no folder")
        trials(monkeypatch, extract_faces=(cost("run"), CropStats({})))
        _, told = forecast("extract-faces", photos(80, 40))
        assert told.startswith("  about 27 s on 1 core, ")


class TestClustering:
    def forecast(self, images: int) -> str:
        """What is told of so many crops, of which embedding takes 8.5 seconds."""
        files = {f"faces/{n}.jpg": 8000.0 for n in range(images)}
        _, told = forecast("cluster", crops(files, 10))
        return told

    @pytest.fixture(autouse=True)
    def known(self):
        costs.keep([cost("embed", CLUSTER), cost("run")])

    def test_takes_what_it_took_for_as_many(self):
        costs.keep([cost("cluster", CLUSTER, begin=7.0, image=0.1, images=200)])
        told = self.forecast(200)
        assert seconds() == pytest.approx(8.5 + 7 + 200 * 0.1, abs=0.1)
        assert "scaled" not in told and "guessed" not in told

    def test_is_scaled_from_the_last(self):
        costs.keep([cost("cluster", CLUSTER, begin=7.0, image=0.01, images=50)])
        assert "clustering scaled from 50 images" in self.forecast(200)
        assert seconds() == pytest.approx(8.5 + 7 + 200 * 0.01, abs=0.1)

    def test_is_guessed_where_it_never_ran(self):
        assert "clustering guessed" in self.forecast(200)


class TestGrown:
    def grown(self, begin: float, measured: int, images: int) -> float:
        known = cost("run", begin=begin, images=measured)
        return module._grown(known, images, 2, PAIR)

    def test_what_took_too_short_to_tell_grows_as_is_usual(self):
        assert self.grown(2.0, 100, 20_000) == pytest.approx(2 + 3, rel=0.01)

    def test_what_took_long_grows_from_what_was_measured(self):
        assert self.grown(12.0, 20_000, 40_000) == pytest.approx(48)

    def test_for_as_many_images_it_is_what_was_measured(self):
        assert self.grown(12.0, 20_000, 20_000) == 12.0

    def test_for_fewer_it_never_falls_to_nothing(self):
        assert self.grown(12.0, 20_000, 10) == 1.0


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

    def test_crops_to_come_are_as_many_of_an_image_as_there_are(self):
        made(30, each=2)
        there = {f"faces/{n:04d}_0{i}.jpg": 8000.0 for n in range(30) for i in (0, 1)}
        new = {f"images/1{n:03d}.jpg": 9.0 for n in range(50)}
        photo = photos(30, 0)
        stages = [
            StageWork(photo.stage, FACES, "80 images", photo.files | new, list(new)),
            crops(there, 0),
        ]
        lines = forecast("faces", *stages)
        assert lines[2] == "cluster: crops; about 100 new or changed"
        assert lines[4].startswith("together about ")
        name = name_of(plan("faces", *stages), 2, frozenset(), 50)
        assert read_json(forecast_file())[0] == name

    def test_those_of_a_changed_photo_come_instead_of_those_there(self):
        made(30, each=2)
        there = {f"faces/{n:04d}_0{i}.jpg": 8000.0 for n in range(30) for i in (0, 1)}
        lines = forecast("faces", photos(30, 15), crops(there, 60))
        assert lines[2].endswith("about 30 new or changed")
        # 30 crops stay and 30 come, which are embedded by both cores and laid out; 4
        # around each stage.
        faces, faces_clustered = 3 + 15 * 0.5, 3 + 60 * 0.5 / 2 + 3 + 60 * 0.5
        assert seconds() == pytest.approx(8 + faces + faces_clustered, abs=0.1)

    def test_too_few_crops_to_expect_one_change_nothing(self):
        made(1, each=1)
        more = ({"path": f"images/{n:04d}.jpg", "crops": []} for n in range(1, 30))
        write_table(state_of("faces") / "faces/s1.jsonl", more)
        lines = forecast("faces", photos(30, 3), crops({"faces/0000_00.jpg": 9.0}, 1))
        assert lines[2] == "cluster: crops" and lines[3].startswith("  about ")

    def test_a_trial_tells_how_many_where_there_are_none(self, monkeypatch):
        known = cost("", note="calibrated on 5 images")
        trials(monkeypatch, extract_faces=(known, CropStats({}, 3.0, 8900.0)))
        lines = forecast("faces", photos(80, 80, engine="scrfd"), nothing_yet())
        assert lines[2] == "cluster: faces is not there yet; about 240 to come"

    def test_else_one_is_taken_of_each(self):
        lines = forecast("faces", photos(80, 80), nothing_yet())
        assert lines[2].endswith("about 80 to come")

    def test_what_is_detected_is_looked_at_again(self):
        files = {f"images/{n}.jpg": 9.0 for n in range(8)}
        detect = StageWork(
            STAGES["detect"],
            {"model": "yolo26n", "weights": None, "workers": 1},
            "8 images",
            files,
            list(files)[:5],
        )
        cut = StageWork(STAGES["extract_classes"], {"to": "x"}, "", files, [*files][4:])
        after = cut.after(detect, CropStats({}))
        assert after.said == "; about 5 new or changed"
        assert sorted(after.todo) == sorted(files) and after.files == files


class TestDisk:
    def disk(self, path: str, work: StageWork) -> str:
        costs.keep([cost("extract_faces", FACES), cost("embed", CLUSTER)])
        return forecast(path, work)[-1].split(", ")[1]

    def test_crops_take_what_those_there_do(self):
        made(10, each=2)
        # A record for each image, and three blocks of 4096 bytes for a crop of 8900.
        images = photos(1000, 0).files
        stage = STAGES["extract_faces"]
        work = StageWork(stage, FACES, "", images, list(images)[10:])
        assert 990 * (500 + 2 * 12288) // 10**6 == 24
        assert self.disk("extract-faces", work) == "25 MB on disk (5 GB free)"

    @pytest.mark.parametrize(
        ("link", "size"),
        [("copy", "28 MB"), ("hard", "7.5 MB"), ("symbolic", "7.5 MB")],
    )
    def test_copies_take_the_room_of_the_files_and_links_none(self, link, size):
        files = {
            f"faces/{n}.jpg{x}": 20_000.0 if not x else 900.0
            for n in range(1000)
            for x in ("", ".json")
        }
        assert self.disk("cluster", crops(files, 1000, link=link)).startswith(size)

    def test_copies_to_come_take_room_as_well(self):
        costs.keep([cost("extract_faces", FACES), cost("embed", CLUSTER)])
        made(10, each=2)
        photo = photos(1000, 0)
        work = replace(photo, todo=list(photo.files)[10:])
        said = forecast("faces", work, crops({}, 0))[3]
        assert 2 * 990 * (3400 + 12288) // 10**6 == 31
        assert ", 31 MB on disk" in said

    def test_too_little_is_said(self):
        files = {f"faces/{n}.jpg": 2e9 for n in range(3)}
        costs.keep([cost("embed", CLUSTER)])
        *_, said = forecast("cluster", crops(files, 3))
        assert said.startswith("the disk is too small: 6 GB are needed, 5 GB are free")


def test_stages_follow_one_another():
    one = Estimate(10, 30, 400, 2, ("calibrated on 5 images",))
    other = Estimate(1, 3, 500, 1, ("guessed",))
    notes = ("calibrated on 5 images", "guessed")
    assert one + other == Estimate(11, 33, 500, 2, notes)


class TestTold:
    found = Estimate(71.4, 45e6, 600e6, 2, ("",))

    def test_time_cores_disk_and_memory(self):
        assert told(self.found, 2, free=2.1e11) == (
            "about 1 min 11 s on 2 cores, 45 MB on disk (210 GB free), 600 MB of memory"
        )

    def test_how_it_is_known_comes_last(self):
        found = Estimate(5, 1e6, 1e8, 1, ("calibrated on 5 images", "guessed"))
        assert told(found, 2, None) == (
            "about 5 s on 1 core, 1 MB on disk, 100 MB of memory; "
            "calibrated on 5 images, guessed"
        )

    def test_elsewhere_only_the_work_is_known(self):
        found = replace(self.found, seconds=9300)
        assert told(found, None, 2.1e11) == "about 2 h 35 min of CPU time"


def test_too_little_of_anything_is_said_with_what_helps():
    found = Estimate(1, disk=3e9, memory=5e9, cores=1)
    assert list(warnings(found, free=3e9, memory=5e9)) == []
    disk, memory = warnings(found, free=2e9, memory=4e9)
    assert "3 GB are needed, 2 GB are free" in disk and "--link" in disk
    assert "5 GB are needed" in memory and "--workers" in memory
