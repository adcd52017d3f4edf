"""Stage extract_frames, without a run around it."""

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dtst_flow.dataset import digests, inventory, sidecars
from dtst_flow.dataset.state import PROGRESS, state_of
from dtst_flow.imaging import video
from dtst_flow.runtime import verified_read
from dtst_flow.stages import crops
from dtst_flow.stages.contract import ShardJob
from dtst_flow.stages.extract_frames import STAGE, Options, describe
from dtst_flow.stages.shards import Shard
from dtst_flow.utils.files import digest
from dtst_flow.utils.tables import read_table, write_table
from helpers.videos import pattern, write

TO = "images/frames"


@pytest.fixture
def dataset(tmp_path, monkeypatch):
    """We are in a dataset with a video of three seconds, each of another view."""
    monkeypatch.chdir(tmp_path)
    path = write(Path("videos/clip.mp4"), (pattern(i // 10) for i in range(30)), gop=10)
    Path(f"{path}.json").write_text('{"source": "phone", "GPS": "here"}')
    return tmp_path


def settings(**values):
    fields = Options.__dataclass_fields__.values()
    return {f.name: f.default for f in fields} | {"to": TO, "keyframes": 1} | values


def run(**values):
    """Run the stage on all videos; rows of its table, and the failures."""
    folder = state_of(TO)
    for old in (folder / "inventory").glob("*"):
        old.unlink()
    inventory.write(
        ".", ["videos"], folder / "inventory", folder / "digests", 9, kind="videos"
    )
    table, failed = (str(folder / name / "s.jsonl") for name in ("frames", "failed"))
    job = ShardJob(str(folder / "inventory/s.jsonl"), table, failed)
    STAGE.run(job, settings(**values))
    return list(read_table(table)), list(read_table(failed))


def settle(rows):
    """Settle the bucket on the rows, as the job that collects does."""
    return STAGE.commit({"s": summed_up(rows)}, [], TO)


def summed_up(rows):
    write_table("table.jsonl", rows)
    shard = Shard("table.jsonl", "failed.jsonl")
    shard.sum_up(STAGE.tally)
    return shard


def names():
    return sorted(path.name for path in Path(TO).glob("*.jpg"))


def computed(**values):
    """How many videos a run reads."""
    shutil.rmtree(PROGRESS, ignore_errors=True)
    run(**values)
    (noted,) = PROGRESS.glob("*.json")
    return json.loads(noted.read_text())["computed"]


def test_frames_say_where_they_are_from(dataset):
    (row,), failed = run()
    assert failed == []
    assert names() == [f"clip_0000{second}000.jpg" for second in range(3)]
    assert [crop["path"] for crop in row["crops"]] == names()
    sidecar = sidecars.read(Path(TO, "clip_00002000.jpg"))
    assert sidecar["source"] == "phone"
    assert "GPS" not in sidecar  # a private key stays behind
    said = sidecar["provenance"]
    assert (said["video"], said["time"], said["frame"]) == ("videos/clip.mp4", 2.0, 20)
    assert np.asarray(Image.open(Path(TO, "clip_00002000.jpg"))).shape == (48, 64, 3)
    assert describe(summed_up([row]).tally) == ["3 frames"]


def test_only_what_is_new_is_computed(dataset):
    assert computed() == 1
    before = {name: Path(TO, name).read_bytes() for name in names()}
    assert computed() == 0
    write(Path("videos/other.avi"), [pattern(7)] * 4)
    assert computed() == 1
    assert computed(keyframes=2) == 2  # as other frames may be due
    assert computed() == 0  # known from before
    assert computed(quality=50) == 2
    assert computed() == 2  # as they have to be written
    assert {n: Path(TO, n).read_bytes() for n in before} == before


def test_what_is_left_is_what_has_to_be_read(dataset):
    def left(**values):
        content = {"videos/clip.mp4": digests.digest_of("videos/clip.mp4")}
        return STAGE.pending(settings(**values), content).images

    assert left() == ["videos/clip.mp4"]
    settle(run()[0])
    assert left() == []
    assert left(quality=50) == left(keyframes=2) == ["videos/clip.mp4"]
    Path(TO, names()[0]).unlink()
    assert left() == ["videos/clip.mp4"]


def test_names_stay_whatever_other_frames_are_taken(dataset):
    settle(run(keyframes=2)[0])
    few = {name: Path(TO, name).stat().st_ino for name in names()}
    settle(run(keyframes=1)[0])
    assert few.keys() < set(names())
    assert all(Path(TO, name).stat().st_ino == node for name, node in few.items())


def test_what_the_user_edits_or_deletes_is_put_back_and_theirs_stays(dataset):
    settle(run()[0])
    first, second, _ = names()
    Path(TO, first).unlink()
    Path(TO, second).write_bytes(b"edited")
    Path(TO, "mine.jpg").write_bytes(b"mine")
    committed = settle(run()[0])
    assert sorted(committed.restored) == [first, second]
    Path("videos/clip.mp4").unlink()
    write(Path("videos/other.mp4"), [pattern(7)] * 4)
    committed = settle(run()[0])
    assert len(committed.removed) == 3
    assert names() == ["mine.jpg", "other_00000000.jpg"]


def test_what_the_user_says_of_a_frame_moves_along_with_it(dataset):
    settle(run()[0])
    first = names()[0]
    sidecars.write(f"{TO}/{first}", sidecars.read(f"{TO}/{first}") | {"rating": 5})
    for end in ("", ".json"):
        Path(f"videos/clip.mp4{end}").rename(f"videos/film.mp4{end}")
    settle(run()[0])
    now = first.replace("clip", "film")
    assert sidecars.read(f"{TO}/{now}")["rating"] == 5
    assert not sidecars.path_of(f"{TO}/{first}").exists()


def test_frames_are_known_again_where_the_ledger_is_lost(dataset):
    settle(run()[0])
    Path(TO, "clip_00009000.jpg").write_bytes(b"the user's")
    shutil.rmtree(".dtst")
    found = {one.row.path: one.image for one in crops.of_frames(TO).found()}
    assert found == dict.fromkeys(names()[:3], "videos/clip.mp4")
    settle(run(keyframes=2)[0])
    assert names() == ["clip_00000000.jpg", "clip_00002000.jpg", "clip_00009000.jpg"]


def test_a_users_file_is_not_overwritten(dataset):
    Path(TO).mkdir(parents=True)
    Path(TO, "clip_00001000.jpg").write_bytes(b"mine")
    rows, (failed,) = run()
    assert rows == []
    assert "was not written by dtst" in failed["reason"]
    assert Path(TO, "clip_00001000.jpg").read_bytes() == b"mine"


def test_broken_videos_fail_alone_and_cut_ones_give_what_they_have(dataset):
    Path("videos/bad.mp4").write_bytes(b"no video")
    cut = write(Path("videos/cut.mkv"), (pattern(i // 9) for i in range(90)), gop=9)
    content = cut.read_bytes()
    cut.write_bytes(content[: len(content) // 2])
    rows, (failed,) = run()
    assert failed["path"] == "videos/bad.mp4"
    assert "cause" not in failed  # so that it is not tried again and again
    _, cut = rows
    assert cut["crops"]
    assert "cut short" in cut["unusable"][-1] or "damaged" in cut["unusable"][0]
    assert (
        describe(summed_up(rows).tally)[-1]
        == "1 videos or their sidecars are damaged in part"
    )


def test_png_and_near_duplicates(dataset):
    write(Path("videos/clip.mp4"), (pattern(0) for _ in range(30)), gop=10)
    (row,), _ = run(format="png")
    assert [crop["path"] for crop in row["crops"]] == ["clip_00000000.png"]
    assert row["left_out"] == 2
    assert describe(summed_up([row]).tally)[1].startswith(
        "2 near-duplicates were left out"
    )
    assert len(run(min_difference=0)[0][0]["crops"]) == 3


def test_a_video_that_changes_while_it_is_read_gives_no_frame(dataset, monkeypatch):
    """Not even under its old content's name."""
    monkeypatch.setattr(
        verified_read, "digest_open", lambda file, tick: _then_changed(file)
    )
    with pytest.raises(SystemExit, match="changed while"):
        run()
    assert names() == []


def _then_changed(file):
    found = digest(file.read())
    with open("videos/clip.mp4", "ab") as other:
        other.write(b"more")
    return found


def test_without_pyav_it_says_what_to_install(dataset, monkeypatch):
    monkeypatch.setattr(video, "find_spec", lambda name: None)
    assert "pip install av" in STAGE.lacks()
    with pytest.raises(SystemExit, match="pip install av"):
        run()


def test_a_video_that_gives_no_more_frames_is_given_up(dataset, monkeypatch):
    """A frame that never comes costs its video, not the others."""
    write(Path("videos/hangs.mp4"), [pattern(7)] * 4)
    really = video.Video.frames

    def frames(film, keyframes=False):
        for frame in really(film, keyframes):
            yield frame
            if film.container.size == os.path.getsize("videos/hangs.mp4"):
                time.sleep(60)

    monkeypatch.setattr(video.Video, "frames", frames)
    (row,), (failed,) = run(max_seconds=0.3)
    assert row["path"] == "videos/clip.mp4"
    assert "took more than" in failed["reason"]
