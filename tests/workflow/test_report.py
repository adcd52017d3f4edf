"""The report by Snakemake: the same page as the command's, and within Snakemake's own."""

import base64
import json

import pytest

from helpers.dataset import DLIB


@pytest.fixture
def reported(dataset):
    """A dataset with a page that Snakemake made."""
    dataset.run("--", "report")
    return dataset


def test_rule_and_command_write_the_same_page(reported):
    page = reported.folder / "report-cluster.html"
    by_rule = page.read_bytes()
    page.unlink()
    reported.dtst("report", "-d", str(reported.folder))
    assert page.read_bytes() == by_rule
    said = json.loads(
        (reported.folder / ".dtst/buckets/faces/summary.json").read_text()
    )["said"]
    assert said[0].encode() in by_rule


def test_snakemakes_own_report_holds_the_page(reported, tmp_path):
    own = tmp_path / "own.html"
    reported.run("--report", str(own), "report")
    page = base64.b64encode((reported.folder / "report-cluster.html").read_bytes())
    content = own.read_bytes()
    assert page in content
    assert b"Every cluster with its medoid" in content


def test_page_is_made_only_when_asked_for(dataset):
    assert not (dataset.folder / "report-cluster.html").exists()
    assert "Nothing to be done" in dataset.run("--dry-run")


def test_path_without_clusters_has_no_page(dataset):
    printed = dataset.run(
        "--", "report", settings=DLIB | {"path": "extract-faces"}, ok=False
    )
    assert "path extract-faces makes no clusters" in printed
