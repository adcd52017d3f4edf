"""The report as a file: what it tells, that nothing in it is taken for HTML, its cost."""

import html
import json
import os
import re
import shutil
import sys
from contextlib import chdir
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from dtst_flow.cli.main import main
from dtst_flow.report import page, thumbnails
from dtst_flow.utils.files import read_json, to_json, write_atomic
from dtst_flow.utils.tables import read_table, write_table
from helpers import clustered


class Elements(HTMLParser):
    """The elements of a page: names, attributes, and the texts outside of scripts."""

    def __init__(self, content: str):
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self.feed(content)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        in_script = self.found and self.found[-1][0] == "script"
        inside = self.scripts if in_script else self.texts
        inside.append(data)


@pytest.fixture
def dataset(tmp_path) -> Path:
    return clustered.write(tmp_path / "crowd")


def report(dataset: Path) -> str:
    with chdir(dataset):
        page.write("cluster", "report.html")
    return (dataset / "report.html").read_text()


def edit(dataset: Path, **changes) -> dict:
    """Change what is in clusters.json."""
    path = dataset / "cluster/clusters.json"
    found = read_json(path) | changes
    path.write_bytes(to_json(found))
    return found


def galleries(content: str) -> list[list[dict]]:
    blocks = re.findall(r'<script type="application/json">(.*?)</script>', content)
    return [json.loads(block) for block in blocks]


def test_every_image_is_in_one_gallery(dataset):
    shown = galleries(report(dataset))
    assert [len(gallery) for gallery in shown] == [*clustered.SIZES, clustered.NOISE]
    urls = {image["url"] for gallery in shown for image in gallery}
    assert len(urls) == sum(clustered.SIZES) + clustered.NOISE


def test_names_are_text_and_never_html(dataset):
    content = report(dataset)
    elements = Elements(content)
    kinds = {name for name, _ in elements.found}
    assert not kinds & {"i", "iframe", "object", "link", "form"}
    scripts = [attrs for name, attrs in elements.found if name == "script"]
    assert scripts == [{"type": "application/json"}] * 4 + [{}]
    assert all(
        attrs.get("src", "").startswith("data:image/webp;base64,")
        for name, attrs in elements.found
        if name == "img"
    )
    assert not any(key.startswith("on") for _, attrs in elements.found for key in attrs)
    titles = {image["path"] for gallery in galleries(content) for image in gallery}
    for name in clustered.HOSTILE:
        assert page.text(f"images/{name}") in titles
    assert "<i>.jpg" in elements.texts


HARM = (
    "</script></style><!--<script>hit()//]]>-->\"' onload=hit() <img src=x onerror=hit()> "
    "{{ 77 * 101 }} {% raw %} &lt;b&gt; javascript:hit() \u2028\u202e\0\x1b[2J\n\udce9"
)


def tell(dataset: Path, word: str) -> list[tuple[str, list[str]]]:
    """Have a page say a word wherever it may; its elements with their attributes' names."""
    found = read_json(dataset / "cluster/clusters.json")
    clusters = [c | {"id": word, "name": word} for c in found["clusters"]]
    several = [member["path"] for member in clusters[0]["members"][:2]]
    parameters = {"model": word, "b" + word: [word]}
    edit(dataset, clusters=clusters, parameters=parameters, near_duplicates=[several])
    buckets = dataset / ".dtst/buckets"
    name = re.sub(r"[/\0]", "", word)
    for state in (buckets / "cluster", buckets / f"a{name}"):
        write_atomic(state / "summary.json", to_json({"said": [word]}))
        write_table(state / "failed.jsonl", [{"path": word, "reason": word}])
    content = report(dataset)
    shutil.rmtree(buckets / f"a{name}")
    assert page.text(word).replace("\0", "") in html.unescape(content).replace("\0", "")
    assert "7777" not in "".join(Elements(content).texts)
    return [(tag, sorted(attrs)) for tag, attrs in Elements(content).found]


def test_nothing_said_makes_an_element_or_an_attribute(tmp_path):
    plain = tell(clustered.write(tmp_path / "plain"), "word")
    harm = clustered.write(tmp_path / re.sub(r"[/\0]", "", HARM))
    assert tell(harm, HARM) == plain


def test_policy_names_just_the_style_and_the_script_of_the_page(dataset):
    content = report(dataset)
    policy = re.search(r'Security-Policy" content="(.*?)">', content)[1]
    policy = policy.replace("&#39;", "'")
    style, script = content.split("<style>")[1], content.rsplit("<script>")[-1]
    for kind, text in (("style", style), ("script", script)):
        expected = page.content_hash(text.split(f"</{kind}>")[0])
        assert f"{kind}-src {expected}" in policy
    assert "default-src 'none'" in policy and "unsafe" not in policy


def test_clusters_that_are_near_are_perhaps_the_same(dataset):
    content = report(dataset)
    assert re.search(r'perhaps the same: <a href="#002">002</a> \(0\.\d\d\)', content)
    assert 'id="same"' in content
    assert re.search(r'nearest: <a href="#00[12]">', content)


def test_names_ids_and_bursts_show_where_they_are_known(dataset):
    found = edit(dataset)
    first, *rest = found["clusters"]
    named = first | {"id": "c0ffee", "name": "<b>Ann</b>"}
    several = [member["path"] for member in first["members"][:5]]
    edit(dataset, clusters=[named, *rest], near_duplicates=[several])
    content = report(dataset)
    assert "&lt;b&gt;Ann&lt;/b&gt;" in content and "c0ffee" in content
    assert "\N{MULTIPLICATION SIGN}5" in content
    (badged,) = [i for g in galleries(content) for i in g if i["burst"]]
    assert badged["burst"] == 5 and badged["path"] == page.text(several[0])


def test_members_are_in_their_order_and_the_medoid_is_shown(dataset):
    first, *rest = edit(dataset)["clusters"]
    first["members"].reverse()
    edit(dataset, clusters=[first, *rest])
    content = report(dataset)
    paths = [page.text(member["path"]) for member in first["members"]]
    assert [image["path"] for image in galleries(content)[0]] == paths
    (medoid,) = re.findall(r'class="medoid">\s*<a [^>]*title="(.*?)"', content)[:1]
    assert medoid == first["medoid"] == paths[-1]
    assert content.count(f'title="{medoid}"') == 1  # it is not doubtful


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ({"image": "images/a b.jpg"}, "./images/a%20b.jpg"),
        ({"image": "../a.jpg"}, None),
        ({"image": "/etc/passwd"}, None),
        ({"image": 3}, None),
        ("faces", None),
    ],
)
def test_the_photo_behind_a_crop_is_reachable(dataset, said, shown):
    table = dataset / ".dtst/buckets/cluster/embeddings/s.jsonl"
    rows = list(read_table(table))
    image = edit(dataset)["clusters"][0]["medoid"]
    (row,) = (row for row in rows if row["path"] == image)
    row["sidecar"] = "digest"
    write_table(table, rows)
    place = dataset / f"{image}.json"
    place.write_text(json.dumps({"provenance": said}))
    photos = {i["photo"] for g in galleries(report(dataset)) for i in g}
    assert photos == {None, shown}


def test_doubtful_members_are_told_only_where_there_are_some(dataset):
    content = report(dataset)
    assert content.count("<h4>Doubtful</h4>") == 2
    edit(dataset, clusters=edit(dataset)["clusters"][:1])
    assert "Doubtful</h4>" not in report(dataset)


def test_noise_that_is_alike_is_together(dataset):
    assert 'class="alike"' not in report(dataset)
    path = dataset / ".dtst/buckets/cluster/embeddings/s.npy"
    vectors = np.load(path)
    vectors[-3:] = vectors[-1] + 0.01 * vectors[-3:]
    np.save(path, vectors)
    (alike,) = re.findall(r'<ul class="alike">(.*?)</ul></li>', report(dataset), re.S)
    last = [page.text(image["path"]) for image in edit(dataset)["noise"][-3:]]
    assert sorted(map(html.unescape, re.findall('title="(.*?)"', alike))) == sorted(
        last
    )


def test_faces_that_nobody_could_recognise_are_apart(dataset):
    first, *rest = edit(dataset)["noise"]
    edit(dataset, noise=[first | {"unrecognisable": True}, *rest])
    content = report(dataset)
    *_, noise, junk = galleries(content)
    assert [image["path"] for image in junk] == [page.text(first["path"])]
    assert len(noise) == len(rest)
    assert "1 face too blurred" in content
    assert f"{1 + len(rest)} images in noise" in content


def test_what_is_rejected_is_apart(dataset):
    first, *rest = edit(dataset)["noise"]
    assert "ejected" not in report(dataset)
    edit(dataset, noise=rest, rejected=[first])
    content = report(dataset)
    *_, rejected = galleries(content)
    assert [image["path"] for image in rejected] == [page.text(first["path"])]
    assert ">1 rejected</a>" in content


def test_what_decides_on_the_order_stands_below_a_member(dataset):
    first, *rest = edit(dataset)["clusters"]
    first["members"][0]["quality"] = 0.876
    edit(dataset, clusters=[first, *rest])
    notes = [image["note"] for image in galleries(report(dataset))[0]]
    assert notes[0] == "quality 0.88" and notes[1].startswith("0.")


def test_parameters_without_effect_are_not_shown(dataset):
    ways = {"clip_model": "ViT-B-32", "min_recognisability": 1, "top": None}
    for model, name in (("arcface", "min_recognisability"), ("clip", "clip_model")):
        edit(dataset, parameters={"model": model} | ways | {"count_duplicates": False})
        content = report(dataset)
        shown = re.findall(r'class="parameter">(\w+)', content)
        assert shown == ["model", name, "count_duplicates"]
        assert "count_duplicates <b>false</b>" in content


def test_everything_in_noise_makes_a_page(dataset):
    found = edit(dataset)
    paths = [m["path"] for cluster in found["clusters"] for m in cluster["members"]]
    noise = found["noise"] + [{"path": path} for path in paths]
    edit(dataset, clusters=[], noise=noise)
    content = report(dataset)
    assert "No group stands out." in content
    (gallery,) = galleries(content)
    assert len(gallery) == len(noise) and not any(image["near"] for image in gallery)


def test_links_lead_from_where_the_page_lies(dataset, tmp_path):
    with chdir(dataset):
        page.write("cluster", tmp_path / "elsewhere/report.html")
    content = (tmp_path / "elsewhere/report.html").read_text()
    assert galleries(content)[0][0]["url"].startswith("../crowd/images/")


def test_second_report_is_the_same_and_makes_no_thumbnail_again(dataset, monkeypatch):
    first = report(dataset)
    monkeypatch.setattr(thumbnails, "encode", lambda *_: pytest.fail("made again"))
    assert report(dataset) == first


def test_thumbnail_of_an_image_edited_since_is_not_kept(dataset):
    path = dataset / "images/000.jpg"
    before = path.read_bytes()
    Image.new("RGB", (50, 50), "white").save(path)
    edited = report(dataset)
    path.write_bytes(before)
    assert report(dataset) != edited


def test_images_that_are_gone_get_a_placeholder(dataset):
    path = min(dataset.glob("images/0*.jpg"))
    path.unlink()
    shown = [i for gallery in galleries(report(dataset)) for i in gallery]
    missing = [i["path"] for i in shown if i["thumbnail"] is None]
    assert missing == [f"images/{path.name}"]


@pytest.mark.skipif(sys.platform != "linux", reason="a fork has what is set here")
def test_an_image_that_ends_its_decoder_gets_a_placeholder(dataset, monkeypatch):
    path = min(dataset.glob("images/0*.jpg"))
    deadly, plain = path.read_bytes(), thumbnails.encode
    monkeypatch.setattr(
        thumbnails,
        "encode",
        lambda c, side: os.abort() if c == deadly else plain(c, side),
    )
    shown = [i for gallery in galleries(report(dataset)) for i in gallery]
    missing = [i["path"] for i in shown if i["thumbnail"] is None]
    assert missing == [f"images/{path.name}"]


def test_thumbnails_are_upright_small_and_as_transparent_pixels_show(tmp_path):
    def decoded(path: Path) -> Image.Image:
        content = thumbnails.encode(path.read_bytes(), 128)
        (tmp_path / "small.webp").write_bytes(content)
        return Image.open(tmp_path / "small.webp").convert("RGB")

    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by 90 degrees
    Image.new("RGB", (1200, 900), "red").save(tmp_path / "a.jpg", exif=turned)
    assert decoded(tmp_path / "a.jpg").size == (96, 128)
    Image.new("RGBA", (40, 20), (0, 0, 0, 0)).save(tmp_path / "b.png")
    clear = decoded(tmp_path / "b.png")
    assert clear.size == (40, 20) and min(clear.getpixel((20, 10))) > 250


def test_command_writes_into_the_dataset_and_says_where(dataset):
    result = CliRunner().invoke(main, ["report", "-d", str(dataset)])
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"{dataset}/report-cluster.html (")
    assert (dataset / "report-cluster.html").read_text() == report(dataset)


def test_command_says_plainly_what_is_missing(dataset, tmp_path):
    def refused(*words: str) -> str:
        result = CliRunner().invoke(main, ["report", *words])
        assert result.exit_code != 0 and "Traceback" not in result.output
        return result.output

    assert "no dataset folder" in refused("-d", str(tmp_path / "none"))
    assert "dtst cluster --to other" in refused("-d", str(dataset), "--to", "other")
    edit(dataset, noise=[{"path": "images/gone.jpg"}])
    assert "other images than were compared last" in refused("-d", str(dataset))
    os.remove(dataset / ".dtst/buckets/cluster/embeddings/s.npy")
    assert "dtst cluster --to cluster" in refused("-d", str(dataset))
