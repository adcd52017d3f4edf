"""The report in a real browser: it shows, opens, pages, and asks for nothing."""

import os
from contextlib import chdir
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

import pytest
from playwright.sync_api import Page

from dtst_flow.report import page as report_page
from helpers import clustered
from helpers.browser import Watch, chromium

SHOWN = """(images) => Promise.all(images.map(async (image) => {
  image.loading = "eager";
  await image.decode();
  return image.naturalWidth;
}))"""


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    folder = clustered.write(tmp_path_factory.mktemp("dataset") / "crowd")
    with chdir(folder):
        report_page.write("cluster", "report.html")
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser):
    page = browser.new_page()
    yield page
    page.close()


@pytest.fixture(autouse=True)
def watch(page, report):
    """Whatever a test does on the page, nothing is requested and nothing goes wrong."""
    watch = Watch(page)
    yield watch
    assert watch.asked() <= {report.as_uri()}
    assert watch.trouble == []
    assert page.evaluate("window.hit") is None


def show(page: Page, report: Path, anchor: str = "") -> None:
    """Open the report, anew."""
    page.goto("about:blank")
    page.goto(f"{report.as_uri()}{anchor}")


def shown(page: Page, selector: str) -> list[int]:
    """The widths of the pictures in an element, once they are decoded."""
    return page.locator(f"{selector} img").evaluate_all(SHOWN)


def test_medoids_and_doubtful_members_show_at_once(page, report):
    show(page, report)
    assert shown(page, ".medoid") == [300] * 3
    assert page.locator("[id='000'] .doubtful").count() == 0
    assert set(shown(page, ".doubtful")) == {128}
    assert page.locator(".gallery img").count() == 0


def test_members_are_shown_in_pages_when_asked_for(page, report):
    show(page, report, "#000")
    before, after = page.locator(".pager button").all()
    assert shown(page, "[id='000'] .gallery") == [128] * 60
    assert page.locator(".pager option").first.text_content().endswith("60 of 70")
    after.click()
    assert shown(page, "[id='000'] .gallery") == [128] * 10
    assert after.is_disabled()
    before.click()
    assert len(shown(page, "[id='000'] .gallery")) == 60


def test_a_link_to_a_cluster_opens_it(page, report):
    show(page, report)
    page.click("[id='001'] .facts a")
    page.wait_for_selector("[id='002'] .gallery img")
    assert page.url.endswith("#002")
    assert len(shown(page, "[id='002'] .gallery")) == 8


def test_noise_opens_by_keyboard(page, report):
    show(page, report)
    page.focus("#noise summary")
    page.keyboard.press("Enter")
    page.wait_for_selector("#noise img")
    assert shown(page, "#noise") == [128] * clustered.NOISE
    far = [text.split()[1] for text in page.locator("#noise .note a").all_inner_texts()]
    assert far == sorted(far)


def test_pictures_lead_to_originals_whatever_these_are_called(page, report):
    found = set()
    for gallery in ("000", "001", "002", "noise"):
        show(page, report, f"#{gallery}")
        after = page.locator(f"[id='{gallery}'] .pager button").last
        while True:
            links = page.locator(f"[id='{gallery}'] .gallery .picture")
            found |= set(links.evaluate_all("links => links.map(a => a.href)"))
            if not after.count() or after.is_disabled():
                break
            after.click()
    originals = {os.fsdecode(unquote_to_bytes(urlsplit(url).path)) for url in found}
    images = {str(p) for p in (report.parent / "images").rglob("*") if p.is_file()}
    assert originals == images


@pytest.mark.parametrize("width", [360, 1600])
def test_nothing_sticks_out(page, report, width):
    page.set_viewport_size({"width": width, "height": 900})
    show(page, report, "#000")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_dark_where_that_is_preferred(page, report):
    grounds = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        show(page, report)
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds == ["rgb(246, 246, 244)", "rgb(22, 22, 21)"]


def test_policy_lets_no_other_script_run_and_nothing_be_fetched(page, report, watch):
    show(page, report)
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'),"
        " {text: 'window.hit = 1'}))"
    )
    asked = "fetch('https://example.org').then(() => 'came', () => 'refused')"
    assert page.evaluate(asked) == "refused"
    told = watch.trouble
    assert all("Content Security Policy" in text for text in told) and len(told) >= 2
    watch.trouble.clear()
