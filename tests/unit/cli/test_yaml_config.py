"""Config files: what is known in them, and where their paths start."""

from pathlib import Path

import click
import pytest

from dtst_flow.cli.yaml_config import read_config
from dtst_flow.utils.yaml_keys import told_twice


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Read a config file of the given text, sub/c.yaml of the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("sub").mkdir()

    def read(text: str):
        Path("sub/c.yaml").write_text(text)
        return read_config(Path("sub/c.yaml"))

    return read


def test_paths_start_at_the_file(read, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    config = read(
        "working_dir: scratch/crowd\n"
        "container: jobs.sif\n"
        "extract_faces: {weights: ../w.onnx}\n"
        "cluster: {weights: ~/w.onnx}\n"
        "detect: {weights: /w.pt}\n"
    )
    assert config.working_dir == Path("sub/scratch/crowd")
    assert config.top == {"container": "sub/jobs.sif"}
    assert config.block("extract_faces") == {"weights": "sub/../w.onnx"}
    assert config.block("cluster") == {"weights": "/home/me/w.onnx"}
    assert config.block("detect") == {"weights": "/w.pt"}


def test_without_working_dir_the_dataset_is_left_open(read):
    assert read("working_dir:\ncluster: {top: 3}").working_dir is None


def test_settings_at_the_top_count(read):
    text = "strict: true\ngpu: false\nshard_size: 2\ncontainer: docker://x/y\n"
    assert read(text).top == {
        "strict": True,
        "gpu": False,
        "shard_size": 2,
        "container": "docker://x/y",
    }


def test_blocks_of_the_other_dtst_are_for_the_other(read):
    config = read("search: {terms: [a]}\nfetch: 3\nx-mine: 1\ncluster:\n")
    assert config.block("cluster") == {}


def test_keys_of_the_other_dtst_are_taken(read):
    config = read("cluster: {no_cache: true, model: ArcFace, clean: yes}")
    assert config.block("cluster") == {
        "cache": False,
        "model": "arcface",
        "clean": True,
    }
    text = "{workers: 2, max_size: 512, padding: false, refine_landmarks: true}"
    assert read(f"extract_faces: {text}").block("extract_faces")["workers"] == 2


def test_workers_of_cluster_are_no_error(read):
    assert read("cluster: {workers: 4}").block("cluster").get("workers", 4) == 4


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "is empty"),
        ("{}", "is empty"),
        ("extract-faces: {}", "did you mean 'extract_faces'?"),
        ("extract_face: {}", "did you mean 'extract_faces'?"),
        ("from: images", "belongs in a block, such as extract_frames: {from: …}"),
        ("dataset: crowd", "here working_dir names the dataset folder"),
        ("path: faces", "here the command says what to run"),
        ("sharch: 3", "it has"),
        ("strict: maybe", "strict: 'maybe'"),
        ("shard_size: 0", "shard_size: 0"),
        ("working_dir: ''", "working_dir: ''"),
        ("cluster: {no_cache: 3}", "cluster.no_cache: must be true or false"),
        ("cluster: {no_cache: true, cache: true}", "both 'cache' and 'no_cache'"),
        ("cluster: {dry_run: true}", "'dry_run' is a flag: -n"),
        ("cluster: {working_dir: x}", "belongs at the top level"),
        ("cluster: {model: [a]}", "cluster.model: "),
    ],
)
def test_what_nobody_knows_is_refused(read, text, hint):
    with pytest.raises(click.UsageError) as error:
        read(text).block("cluster")
    assert error.value.message.startswith("config file sub/c.yaml: ")
    assert hint in error.value.message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cluster: {top: 3}\ndetect:\ncluster: {top: 4}\n", "'cluster'.*lines 1 and 3"),
        ("cluster: {top: 3, top: 4}", "'top' is there twice, in line 1"),
        (
            "workflows:\n  w: [detect: {a: 1, 'a': 2}]\n",
            "'a' is there twice, in line 2",
        ),
    ],
)
def test_a_key_that_is_there_twice_is_refused(read, text, told):
    with pytest.raises(click.UsageError, match=told):
        read(text)


def test_keys_of_several_mappings_may_be_alike(read):
    text = "x-mine: &mine {top: 3}\ncluster: {<<: *mine, top: 4}\ndetect: {top: 5}\n"
    assert read(text).content["cluster"] == {"top": 4}
    assert told_twice("a: &a [*a]\nb: *a\n") is None
