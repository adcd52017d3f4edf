"""Runs on a real SLURM, in good times and bad: the same bytes as on this machine."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from helpers import colour_detector
from helpers.dataset import DLIB, ROOT, Dataset, copy_photos, environment
from helpers.on_cluster import Cluster, OnCluster, wait_for

FACES = DLIB | {"shard_size": 10}
CROPS = FACES | {"path": "extract-faces"}
IMAGES = {
    "path": "images",
    "shard_size": 10,
    "cluster": {"model": "efficientnet", "count_duplicates": True},
}


@pytest.fixture(scope="module")
def crowd(shots, tmp_path_factory) -> Path:
    """A folder with twelve photos of two people, which fall into two shards."""
    folder = tmp_path_factory.mktemp("crowd") / "crowd"
    copy_photos(shots, "[ch][oa][ln]*_[0-5]", folder)
    return folder


@pytest.fixture(scope="module")
def things(tmp_path_factory) -> Path:
    """A folder with photos of coloured things."""
    folder = tmp_path_factory.mktemp("things") / "things"
    (folder / "images").mkdir(parents=True)
    for i in range(8):
        found = {(20, 40, 60 + i, 80): "red", (160, 8, 240, 120): "green"}
        picture = Image.fromarray(colour_detector.photo(256, 128, found))
        picture.save(folder / f"images/{i}.png")
    return folder


def locally(source: Path, folder: Path, settings: dict) -> dict[str, bytes]:
    """What a run on this machine gives."""
    shutil.copytree(source, folder / source.name)
    dataset = Dataset(folder / source.name)
    dataset.run(settings=settings)
    return dataset.results()


@pytest.fixture(scope="module")
def crops(crowd, tmp_path_factory) -> dict[str, bytes]:
    """What extract-faces gives on this machine."""
    return locally(crowd, tmp_path_factory.mktemp("locally"), CROPS)


@pytest.fixture
def sent(cluster, crowd, tmp_path) -> OnCluster:
    """The crowd, to be run on the cluster."""
    shutil.copytree(crowd, tmp_path / "crowd")
    return OnCluster(tmp_path / "crowd")


class Background:
    """A run on the cluster that goes on while the test does something else."""

    def __init__(self, dataset: OnCluster, settings: dict):
        override = dataset.folder.parent / "background.json"
        place = {"root": str(dataset.folder.parent), "dataset": dataset.folder.name}
        override.write_text(json.dumps(place | settings))
        self.log = dataset.folder.parent / "background.log"
        command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile")]
        command += ["--configfile", str(override), *dataset.words()]
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                command,
                cwd=dataset.folder.parent,
                env=environment(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def __enter__(self) -> "Background":
        return self

    def __exit__(self, *_) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def end(self) -> None:
        """Wait for the run, which has to end well."""
        assert self.process.wait(300) == 0, self.log.read_text()


def test_images_are_grouped_alike_with_several_shards_in_a_job(
    cluster, sent, crowd, tmp_path
):
    before = cluster.last()
    grouped = ("--groups", "embed=embed", "--group-components", "embed=2")
    sent.run(*grouped, settings=IMAGES)
    assert sent.results() == locally(crowd, tmp_path / "here", IMAGES)
    assert sent.jobs()["embed"] == 2
    assert [job.cpus for job in cluster.jobs("embed", before)] == ["2"]


def test_objects_are_cut_out_and_grouped_alike_on_nodes_without_a_gpu(
    cluster, things, colours, tmp_path
):
    detect = {"from": "images", "classes": "red,green", "weights": str(colours)}
    settings = IMAGES | {"path": "classes", "gpu": False, "detect": detect}
    before = cluster.last()
    shutil.copytree(things, tmp_path / "things")
    dataset = OnCluster(tmp_path / "things")
    dataset.run(settings=settings)
    assert dataset.results() == locally(things, tmp_path / "here", settings)
    ran = cluster.jobs(since=before)
    assert {job.partition for job in ran} == {"cpu"}
    assert {job.node for job in ran} <= {"n1", "n2"}


def test_what_asks_for_a_gpu_goes_where_one_is(cluster, things, colours, tmp_path):
    """The cluster's GPU has no driver, which the job tells."""
    detect = {"from": "images", "classes": "red,green", "weights": str(colours)}
    settings = {"path": "detect", "gpu": True, "detect": detect}
    before = cluster.last()
    shutil.copytree(things, tmp_path / "things")
    dataset = OnCluster(tmp_path / "things")
    dataset.run("--retries", "0", settings=settings, ok=False)
    places = {job.what: job.node for job in cluster.jobs(since=before)}
    assert places.pop("rule_detect_wildcards_s") == "n3"
    assert places.keys() == {
        "rule_inventory_detect",
        "rule_vocabulary",
    }
    assert set(places.values()) <= {"n1", "n2"}
    log = (dataset.folder / ".dtst/logs/detect/s.log").read_text()
    assert "was to have a GPU (gpu: true), but sees none" in log


def test_a_node_that_dies_costs_only_time(cluster, sent, crops, survived):
    before = cluster.last()
    with Background(sent, CROPS) as run:
        victim = cluster.running("extract_faces", before)
        survived["kills tried"] += 1
        cluster.call("kill-node", victim.node)
        try:
            wait_for(lambda: state_of(cluster, victim.id) == "PENDING")
            wait_for(lambda: hurried(cluster, victim.id))
            run.end()
        finally:
            cluster.call("start-node", victim.node)
    assert state_of(cluster, victim.id) == "COMPLETED"
    assert sent.results() == crops
    survived["kills survived"] += 1


def hurried(cluster: Cluster, number: str) -> bool:
    """Whether a job no longer waits; by itself SLURM would hold it for two minutes."""
    subprocess.run(["scontrol", "update", f"jobid={number}", "starttime=now"])
    return state_of(cluster, number) != "PENDING"


def state_of(cluster: Cluster, number: str) -> str:
    return next(job.state for job in cluster.jobs() if job.id == number)


def test_a_cancelled_job_is_sent_again_and_asks_for_more(
    cluster, sent, crops, survived
):
    before = cluster.last()
    with Background(sent, CROPS) as run:
        victim = cluster.running("extract_faces", before)
        survived["kills tried"] += 1
        subprocess.run(["scancel", victim.id], check=True)
        run.end()
    sends = [job for job in cluster.jobs(since=before) if job.what == victim.what]
    assert [job.state for job in sends] == ["CANCELLED", "COMPLETED"]
    assert [job.memory for job in sends] == ["1500M", "3000M"]
    assert [job.limit for job in sends] == ["30:00", "1:00:00"]
    assert sent.results() == crops
    survived["kills survived"] += 1


def test_a_run_that_is_killed_goes_on_beside_its_jobs(
    cluster, sent, crowd, tmp_path, survived
):
    before = cluster.last()
    with Background(sent, FACES) as run:
        orphan = cluster.running("extract_faces", before)
        survived["kills tried"] += 1
        run.process.kill()
        run.process.wait()
    assert state_of(cluster, orphan.id) == "RUNNING"
    sent.run("--unlock", settings=FACES)
    sent.run(settings=FACES)
    assert state_of(cluster, orphan.id) == "COMPLETED"
    assert sent.results() == locally(crowd, tmp_path / "here", FACES)
    survived["kills survived"] += 1
