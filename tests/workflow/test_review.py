"""The page of a review in a real browser: every action, and all that may go wrong."""

import json
import shutil

import pytest
from playwright.sync_api import expect

from helpers import accessible, clustered
from helpers.browser import chromium
from helpers.reviewed import Review, Sheet

LAPTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
LARGEST, SECOND, THIRD = (f"{rank:08x}" for rank in range(3))
HOSTILE = "<img src=x onerror='window.hit=1'>"


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def review(tmp_path_factory):
    """A review of clusters and files whose names are no good text."""
    folder = clustered.write(tmp_path_factory.mktemp("reviewed") / "crowd")
    path = folder / "cluster/clusters.json"
    found = json.loads(path.read_text())
    found["clusters"][1]["name"] = HOSTILE
    path.write_text(json.dumps(found))
    image = folder / found["clusters"][0]["medoid"]
    facts = {"metrics": {HOSTILE: 0.5, "blur": HOSTILE}, "provenance": HOSTILE}
    image.with_name(image.name + ".json").write_text(json.dumps(facts))
    review = Review(folder)
    yield review
    review.kill()


@pytest.fixture
def sheet(review, browser):
    """A page of the review, of which nothing is decided; nothing goes wrong in it."""
    review.labels.unlink(missing_ok=True)
    sheet = Sheet(review, browser, **LAPTOP)
    expect(sheet.tiles.first).to_be_focused()
    yield sheet
    trouble, hit = sheet.watch.trouble, sheet.page.evaluate("window.hit")
    asked = sheet.watch.asked()
    sheet.close()
    assert trouble == [] and hit is None
    assert all(url.startswith(review.root) for url in asked)


def folders(sheet: Sheet) -> list[str]:
    """What the clusters in sight are called."""
    return sheet.page.locator(".called").all_inner_texts()


def test_clusters_are_found_sorted_and_filtered(sheet):
    assert folders(sheet) == ["000", HOSTILE, "002"]
    sheet.page.select_option("select >> nth=0", "name")
    expect(sheet.page.locator(".called").first).to_have_text(HOSTILE)
    sheet.page.select_option("select >> nth=1", "unnamed")
    expect(sheet.tiles).to_have_count(2)
    sheet.press("/")
    sheet.page.keyboard.type("002")
    expect(sheet.tiles).to_have_count(1)
    sheet.press("Enter", "Enter")
    expect(sheet.page.locator("h1")).to_contain_text("002")


def test_several_clusters_are_merged_undone_and_redone(sheet, review):
    sheet.page.locator(".check").nth(0).click()
    sheet.tiles.nth(2).click()
    expect(sheet.page.locator("#bar")).to_contain_text("2 clusters")
    sheet.press("m")
    sheet.wait_for("labels.csv: 1 line added")
    assert review.relations() == ["must-link"]
    sheet.page.click("#toasts button >> text=Undo")
    sheet.wait_for("Undone")
    assert review.lines() == []
    sheet.press("Z")
    sheet.wait_for("Done again")
    assert review.relations() == ["must-link"]


@pytest.mark.parametrize(
    ("keys", "typed", "written"),
    [
        ("r", "Ann", {"name"}),
        ("x", "", {"reject"}),
        ("k", "", {"must-link"}),
        ("m", "002", {"must-link"}),
    ],
)
def test_a_cluster_is_decided_by_keys(sheet, review, keys, typed, written):
    sheet.press(keys)
    if typed:
        fill(sheet, typed)
    sheet.wait_for("labels.csv")
    assert set(review.relations()) == written


def test_what_is_perhaps_the_same_is_selected_with_it(sheet, review):
    near = sheet.page.locator(".tile .near")
    near.first.click()
    expect(sheet.page.locator("#bar")).to_contain_text("2 clusters")
    sheet.press("Escape")
    expect(sheet.page.locator("#bar")).to_be_hidden()
    sheet.press("p", "m")
    sheet.wait_for("1 line added")
    expect(near).to_have_count(0)


def fill(sheet: Sheet, text: str) -> None:
    """Type into the dialog that asks, wait for what fits, and take the first of it."""
    sheet.page.wait_for_selector("dialog input")
    sheet.page.keyboard.type(text)
    expect(sheet.page.locator("dialog li").first).to_contain_text(text)
    sheet.press("Enter")


def members(sheet: Sheet, cluster: str = LARGEST) -> None:
    """Show the members of a cluster."""
    sheet.go(f"cluster/{cluster}")
    expect(sheet.page.locator(".grid")).to_have_attribute("aria-label", "Members")
    expect(sheet.tiles.first).to_be_focused()


@pytest.mark.parametrize(
    ("key", "typed", "written"),
    [
        ("x", "", ["reject"]),
        ("o", "", ["not"]),
        ("m", "002", ["not", "must-link"]),
        ("m", "Zoe", ["not", "must-link", "name"]),
        ("n", "Ann", ["not", "must-link", "name"]),
    ],
)
def test_members_are_decided_by_keys(sheet, review, key, typed, written):
    members(sheet)
    sheet.press("Space", "Shift+ArrowRight")
    expect(sheet.page.locator("#bar")).to_contain_text("2 images")
    sheet.press(key)
    if typed:
        fill(sheet, typed)
    sheet.wait_for("labels.csv")
    assert list(dict.fromkeys(review.relations())) == written
    expect(sheet.page.locator(".picture.decided")).to_have_count(2)
    expect(sheet.page.locator("#bar")).to_be_hidden()


def test_a_mouse_selects_and_drags(sheet, review):
    members(sheet)
    sheet.tiles.nth(1).click()
    sheet.tiles.nth(4).click(modifiers=["Shift"])
    selected = sheet.page.locator("[aria-selected=true]")
    expect(selected).to_have_count(4)
    boxes = [sheet.tiles.nth(i).bounding_box() for i in (0, 1)]
    mouse = sheet.page.mouse
    mouse.move(boxes[0]["x"] + 20, boxes[0]["y"] + 20)
    mouse.down()
    mouse.move(boxes[1]["x"] + 30, boxes[1]["y"] + 30, steps=3)
    mouse.up()
    expect(selected).to_have_count(2)
    target = sheet.page.locator(".rail button", has_text="002").bounding_box()
    mouse.move(boxes[0]["x"] + 20, boxes[0]["y"] + 20)
    mouse.down()
    mouse.move(target["x"] + 30, target["y"] + 10, steps=3)
    mouse.up()
    sheet.wait_for("labels.csv")
    assert review.relations().count("must-link") == 2


def test_clusters_dropped_on_another_are_merged(sheet, review):
    sheet.page.locator(".check").nth(2).click()
    sheet.tiles.nth(2).drag_to(sheet.tiles.nth(0))
    sheet.wait_for("1 line added")
    assert review.relations() == ["must-link"]


def test_the_big_view_shows_all_and_decides(sheet, review):
    members(sheet)
    sheet.press("Enter")
    look = sheet.page.locator(".look")
    expect(look).to_contain_text(HOSTILE)
    expect(look).to_contain_text("images/")
    assert look.locator("img").first.evaluate(
        "i => i.decode().then(() => i.naturalWidth)"
    )
    sheet.press("x")
    expect(sheet.page.locator(".viewer")).to_contain_text("2 of 70")
    sheet.press("ArrowLeft")
    expect(sheet.page.locator(".viewer")).to_contain_text("rejected")
    sheet.press("x")
    sheet.wait_for("0 lines added, 1 taken out")
    assert review.lines() == []
    sheet.press("z")
    sheet.wait_for("Undone")
    assert review.relations() == ["reject"]
    sheet.press("Escape")
    expect(sheet.tiles.nth(1)).to_be_focused()


def test_noise_becomes_a_cluster_and_what_is_rejected_comes_back(sheet, review):
    sheet.go("rest")
    expect(sheet.tiles.first).to_be_focused()
    tiles = sheet.page.locator("section[aria-label=Noise] [role=option]")
    expect(tiles).to_have_count(clustered.NOISE)
    tiles.nth(0).click()
    sheet.press("x")
    rejected = sheet.page.locator("section[aria-label=Rejected] [role=option]")
    expect(rejected).to_have_count(1)
    rejected.click()
    sheet.press("x")
    expect(rejected).to_have_count(0)
    tiles.nth(0).click()
    tiles.nth(1).click()
    sheet.press("n")
    fill(sheet, "Ann")
    sheet.wait_for("labels.csv: 2 lines added")
    assert review.relations() == ["must-link", "name"]


@pytest.mark.parametrize(
    ("key", "written"), [("y", "must-link"), ("n", "cannot-link"), ("s", None)]
)
def test_questions_are_answered_by_keys(sheet, review, key, written):
    sheet.go("questions")
    title = sheet.page.locator("h1")
    expect(title).to_contain_text("The same?")
    images = sheet.page.locator(".pair .picture img")
    before = [image.get_attribute("src") for image in images.all()]
    sheet.press(key)
    expect(sheet.page.locator("#toasts .toast")).to_be_visible()
    assert review.relations() == ([written] if written else [])
    assert before != [image.get_attribute("src") for image in images.all()]
    if written:
        sheet.press("z")
        sheet.wait_for("Undone")
        assert review.lines() == []


def test_a_second_page_and_a_hand_are_seen(sheet, review, browser):
    members(sheet)
    other = Sheet(review, browser, **LAPTOP)
    members(other)
    other.press("x")
    decided = sheet.page.locator(".picture.decided")
    expect(decided).to_have_count(1)
    sheet.press("ArrowRight", "x")
    expect(other.page.locator(".picture.decided")).to_have_count(2)
    assert review.relations() == ["reject", "reject"]
    review.labels.write_text("relation,image,other\n")
    expect(decided).to_have_count(0)
    other.close()


CHANGES_MEANWHILE = """
const real = window.fetch;
window.fetch = async (...asked) => {
  const answer = await real(...asked);
  if (!String(asked[0]).startsWith("/api/clusters?")) return answer;
  window.fetch = real;
  (await import("/static/store.js")).store.tell("changed");
  return answer;
};
"""
"""Decisions change while the list of clusters is on its way."""


def test_a_list_that_changes_as_it_comes_has_the_keyboard(sheet):
    sheet.page.add_init_script(CHANGES_MEANWHILE)
    sheet.page.reload()
    expect(sheet.tiles.first).to_be_focused()
    sheet.press("ArrowRight")
    expect(sheet.tiles.nth(1)).to_be_focused()


def test_only_what_is_in_sight_is_in_the_page(sheet):
    sheet.page.set_viewport_size({"width": 390, "height": 500})
    members(sheet)
    assert sheet.tiles.count() < 50
    sheet.press("End")
    last = sheet.page.locator("[aria-posinset='70']")
    expect(last).to_be_focused()
    expect(last).to_be_in_viewport()
    sheet.press("a")
    expect(sheet.page.locator("#bar")).to_contain_text("70 images")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("size", "least"), [(LAPTOP, 24), (PHONE, 44)])
def test_every_view_can_be_read_and_reached(review, browser, size, least, scheme):
    review.labels.unlink(missing_ok=True)
    sheet = Sheet(review, browser, **size, color_scheme=scheme, is_mobile=least == 44)
    expect(sheet.tiles.first).to_be_focused()
    assert accessible.shows_focus(sheet.page)
    sheet.press("Space")
    found = {"clusters": accessible.faults(sheet.page, least)}
    members(sheet)
    sheet.press("x", "Space")
    sheet.wait_for("labels.csv")
    found["cluster"] = accessible.faults(sheet.page, least)
    for keys in ("m", "Enter", "?"):
        sheet.press(keys)
        expect(sheet.page.locator("dialog[open]")).to_be_visible()
        found[keys] = accessible.faults(sheet.page, least)
        sheet.press("Escape")
    for view, shown in (("questions", ".pair"), ("rest", ".tile"), ("apply", ".main")):
        sheet.go(view)
        sheet.page.locator(shown).first.wait_for()
        found[view] = accessible.faults(sheet.page, least)
        sheet.press("Tab")
        assert accessible.shows_focus(sheet.page)
    sheet.close()
    assert {view: faults for view, faults in found.items() if faults} == {}


def test_nothing_moves_for_who_wants_that(review, browser):
    sheet = Sheet(review, browser, **LAPTOP, reduced_motion="reduce")
    members(sheet)
    sheet.press("x")
    toast = sheet.page.locator("#toasts .toast")
    expect(toast).to_have_css("animation-name", "none")
    sheet.close()


def test_help_tells_the_keys_of_the_view(sheet):
    members(sheet)
    sheet.press("?")
    keys = sheet.page.locator("dialog.keys")
    for words in ("Reject", "Move to", "New cluster", "Undo", "shift-z"):
        expect(keys).to_contain_text(words)
    sheet.press("Escape")
    expect(keys).to_have_count(0)


def test_a_server_that_ends_is_told_and_one_that_comes_back(review, browser, tmp_path):
    folder = shutil.copytree(review.folder, tmp_path / "crowd")
    second = Review(folder)
    sheet = Sheet(second, browser, **LAPTOP)
    members(sheet)
    second.kill()
    banner = sheet.page.locator("#banner")
    expect(banner).to_contain_text("does not answer")
    sheet.press("x")
    sheet.wait_for("Not saved")
    third = Review(folder, second.port)
    expect(banner).to_contain_text("Open the address that it printed")
    sheet.page.goto(third.address)
    expect(sheet.tiles.first).to_be_visible()
    expect(banner).to_be_hidden()
    sheet.close()
    third.kill()


def test_an_answer_that_nobody_expects_is_told(sheet):
    wrong = {"status": 500, "json": {"error": "A cat sat on it.", "hint": "Lift it."}}
    sheet.page.route("**/api/questions*", lambda route: route.fulfill(**wrong))
    sheet.go("questions")
    sheet.wait_for("A cat sat on it. Lift it.")
    sheet.watch.trouble.clear()


def test_only_the_page_itself_may_ask(review, browser):
    context = browser.new_context()
    page = context.new_page()
    assert page.goto(review.root).status == 403
    assert page.goto(f"{review.root}?token=wrong").status == 403
    page.goto(review.address)
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        answer = context.request.get(f"{review.root}api/state", headers=headers)
        assert answer.status == 403
    assert context.request.get(f"{review.root}api/state").ok
    context.close()


def test_decisions_are_applied_and_what_changed_is_shown(grouped, browser, tmp_path):
    dataset = grouped.copy(tmp_path)
    review = Review(dataset.folder)
    sheet = Sheet(review, browser, **LAPTOP)
    expect(sheet.tiles.first).to_be_focused()
    before = sheet.tiles.count()
    sheet.press("Space", "ArrowRight", "Space", "m")
    sheet.wait_for("1 line added")
    sheet.press("4", "Enter")
    expect(sheet.page.locator("progress")).to_be_visible()
    expect(sheet.page.locator(".run")).to_contain_text("Done", timeout=60_000)
    strip = sheet.page.locator(".strip img")
    expect(strip.first).to_be_visible()
    assert len(dataset.clusters()["clusters"]) == before - 1
    sheet.press("1")
    expect(sheet.tiles).to_have_count(before - 1)
    assert sheet.watch.trouble == []
    sheet.close()
    review.kill()
