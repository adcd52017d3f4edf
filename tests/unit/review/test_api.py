import json
import os
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from dtst_flow.review import security
from dtst_flow.review.app import STATIC, application
from helpers import clustered, curses

SIZES, NOISE = clustered.SIZES, clustered.NOISE
FIRST, SECOND, THIRD = (f"{rank:08x}" for rank in range(3))
MEMBERS = sum(SIZES)


def test_state_and_clusters_are_those_of_the_run(asked):
    state = asked.get("/api/state")
    assert state["images"] == MEMBERS + NOISE and state["noise"] == NOISE
    assert state["dataset"] == "crowd" and state["facts"] and not state["faults"]
    found = asked.get("/api/clusters")
    assert found["total"] == 3
    assert [c["size"] for c in found["clusters"]] == list(SIZES)
    assert found["clusters"][0]["medoid"] == 0


def test_clusters_that_are_near_are_perhaps_the_same_until_decided(asked):
    def near(place: int):
        return asked.get("/api/clusters")["clusters"][place]["near"]

    assert near(0) is None and near(1)["id"] == THIRD
    asked.act("merge", clusters=[SECOND, THIRD])
    assert near(1) is None
    asked.post("/api/undo")
    asked.act("answer", key=f"{SIZES[0]}-{SIZES[0] + SIZES[1]}", answer="no")
    assert near(1) is None and near(2) is None


def test_clusters_are_sorted_filtered_and_searched(asked):
    asked.act("name", cluster=THIRD, name="Zoë Ann")

    def ids(query: str) -> list[str]:
        return [c["id"] for c in asked.get(f"/api/clusters?{query}")["clusters"]]

    assert ids("sort=name")[0] == THIRD
    assert ids("show=unnamed") == [FIRST, SECOND]
    assert ids("q=zoë a") == [THIRD]
    assert ids("q=001") == [SECOND]
    assert ids("limit=1&offset=1") == [SECOND]
    assert ids("sort=doubt")[0] in (SECOND, THIRD)


def test_a_cluster_has_its_members_in_parts(asked):
    found = asked.get(f"/api/clusters/{FIRST}?limit=10&offset=65")
    assert found["total"] == SIZES[0] and len(found["members"]) == 5
    assert [m["n"] for m in found["members"]] == list(range(65, 70))
    doubt = asked.get(f"/api/clusters/{FIRST}?order=doubt")["members"]
    assert {m["n"] for m in doubt} == set(range(SIZES[0]))
    assert doubt[0]["n"] != 0


def test_noise_is_shown_and_says_why(asked):
    found = asked.get("/api/noise")
    shown = [*found["rest"], *(i for group in found["groups"] for i in group)]
    assert {i["n"] for i in shown} == set(range(MEMBERS, MEMBERS + NOISE))
    assert asked.get(f"/api/image/{MEMBERS}")["why"].startswith("the nearest cluster")


@pytest.mark.parametrize("side", [128, 320])
def test_pictures_are_webp_also_of_hostile_names(asked, side):
    for n in range(MEMBERS + NOISE):
        answer = asked.client.get(f"/thumb/{n}?side={side}")
        assert answer.headers["content-type"] == "image/webp"
        if n % 10 == 0:
            picture = Image.open(BytesIO(answer.content))
            assert max(picture.size) == min(side, 300)


def test_a_thumbnail_comes_from_records_the_second_time(asked):
    first = asked.client.get("/thumb/3").content
    row = asked.path(3)
    os.truncate(row, 10)
    assert asked.client.get("/thumb/3").content == first
    answer = asked.client.get("/image/3")
    assert answer.status_code == 404 and row in answer.json()["error"]


def test_what_is_wrong_is_told_also_of_a_name_that_is_not_utf_8(asked):
    paths = asked.session.view.clustering.paths
    (n,) = (n for n, path in enumerate(paths) if "not-utf-8" in path)
    Path(paths[n]).write_bytes(b"no image")
    answer = asked.client.get(f"/thumb/{n}")
    assert answer.status_code == 404 and paths[n] in answer.json()["error"]


def test_an_image_that_ends_its_decoder_ends_no_server(asked, tmp_path, monkeypatch):
    curses.write(tmp_path / "curse")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "curse"))
    with open(asked.path(3), "ab") as file:
        file.write(b"segv")
    for address in ("/thumb/3", "/image/3", "/thumb/3?side=320"):
        answer = asked.client.get(address)
        assert answer.status_code == 404
        assert asked.path(3) in answer.json()["error"]
        assert "SIGSEGV" in answer.json()["error"]
    assert asked.client.get("/thumb/4").headers["content-type"] == "image/webp"


def test_pictures_may_be_kept_for_ever_only_with_their_clustering(asked):
    digest = asked.session.view.clustering.digest
    kept = asked.client.get(f"/thumb/1?c={digest}")
    assert "immutable" in kept.headers["cache-control"]
    assert asked.client.get("/thumb/1").headers["cache-control"] == "no-store"
    assert asked.client.get("/thumb/1?c=another").status_code == 404


def test_the_photo_behind_a_crop_is_shown_with_its_box(asked):
    path = Path(asked.path(2))
    sidecar = path.with_name(path.name + ".json")
    box = [10.0, 20.0, 110.0, 130.0]
    photo = asked.path(0)
    said = {"provenance": {"image": photo, "box": box}, "metrics": {"blur": 4.5}}
    sidecar.write_text(json.dumps(said))
    facts = asked.get("/api/image/2")
    assert facts["photo"] == photo and facts["box"] == box
    assert facts["photo_size"] == [300, 200] and facts["metrics"] == {"blur": 4.5}
    assert asked.client.get("/photo/2").headers["content-type"] == "image/webp"
    said["provenance"]["digest"] = "of another picture, which had that name"
    sidecar.write_text(json.dumps(said))
    facts = asked.get("/api/image/2")
    assert facts["photo"] == photo and facts["box"] is None


@pytest.mark.parametrize(
    "said",
    [
        {"image": "../../secret.jpg"},
        {"image": "/etc/passwd"},
        {"image": "cluster/labels.csv"},
        {"image": 7, "box": "<b>"},
        {"image": "images/none.jpg", "box": [1, 2, float("nan"), 4]},
        "no mapping",
    ],
)
def test_a_hostile_sidecar_leads_nowhere(asked, said):
    Path("../secret.jpg").write_bytes(Path(asked.path(0)).read_bytes())
    path = Path(asked.path(2))
    sidecar = path.with_name(path.name + ".json")
    sidecar.write_text(json.dumps({"provenance": said, "metrics": [1]}))
    facts = asked.get("/api/image/2")
    assert facts["photo"] is None and facts["box"] is None and facts["metrics"] == {}
    assert asked.client.get("/photo/2").status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/clusters/none", 404),
        ("/api/clusters?sort=x", 400),
        ("/api/clusters?offset=-1", 400),
        ("/api/image/4000", 404),
        ("/thumb/1?side=4000", 400),
        ("/static/../server.py", 404),
        ("/static/%2e%2e/server.py", 404),
        ("/images/000.jpg", 404),
        ("/api/changes", 404),
    ],
)
def test_what_is_not_there_is_a_sentence(asked, path, status):
    answer = asked.client.get(path)
    assert answer.status_code == status and answer.json()["error"]


def test_static_files_are_those_of_the_package(asked):
    for path in STATIC.iterdir():
        assert asked.client.get(f"/static/{path.name}").content == path.read_bytes()


HOST = "127.0.0.1:8123"


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", {"host": "evil.example"}),
        ("GET", {"host": "127.0.0.1:80"}),
        ("GET", {"origin": "http://evil.example"}),
        ("GET", {"cookie": "dtst-review-8123=guess"}),
        ("GET", {"cookie": ""}),
        ("POST", {}),
        ("POST", {"origin": "null"}),
        ("POST", {"origin": "http://localhost:8123"}),
        ("POST", {"origin": f"http://{HOST}", "content-type": "text/plain"}),
        ("PUT", {"origin": f"http://{HOST}", "cookie": "a=b"}),
    ],
)
def test_strangers_are_refused(asked, method, headers):
    answer = asked.client.request(method, "/api/state", headers=headers, content="{}")
    assert answer.status_code == 403 and answer.json()["error"]


def test_every_answer_is_guarded_against_other_pages(asked):
    for path in ("/", "/api/state", "/thumb/0", "/none"):
        headers = asked.client.get(path).headers
        for name, value in security.HEADERS.items():
            assert headers[name] == value


def test_the_token_alone_opens_the_page(asked):
    app = application(asked.session, "right", 8123)
    client = TestClient(app, base_url="http://127.0.0.1:8123", follow_redirects=False)
    assert client.get("/").status_code == 403
    assert client.get("/?token=wrong").status_code == 403
    assert client.get("/api/state?token=right").status_code == 403
    answer = client.get("/?token=right")
    assert answer.status_code == 303 and answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    assert client.get("/api/state").status_code == 200


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"x" * (security.BODY + 1), 413),
        (b"{", 400),
        (b"[]", 400),
        (b"[" * 100_000, 400),
        (b"\xff", 400),
    ],
)
def test_a_body_is_small_json(asked, content, status):
    headers = {"origin": f"http://{HOST}", "content-type": "application/json"}
    answer = asked.client.post("/api/act", content=content, headers=headers)
    assert answer.status_code == status and answer.json()["error"]
