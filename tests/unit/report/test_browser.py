"""The report in a real browser: it shows, opens, pages, and asks for nothing."""

import os
import shutil
from contextlib import chdir
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

import pytest

from dtst_flow.report import page
from helpers import clustered
from helpers.browser import Browser

SHOWN = """Promise.all([...document.querySelectorAll("%s img")].map(async (image) => {
  image.loading = "eager";
  await image.decode();
  return image.naturalWidth;
}))"""


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    folder = clustered.write(tmp_path_factory.mktemp("dataset") / "crowd")
    with chdir(folder):
        page.write("cluster", "report.html")
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if not program:
        pytest.skip("needs chromium (on Debian: apt install chromium)")
    browser = Browser(program, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(autouse=True)
def no_trouble(browser, report):
    """Whatever a test does on the page, nothing is requested and nothing goes wrong."""
    yield
    assert set(browser.requested()) <= {report.as_uri()}
    assert browser.trouble() == []
    assert browser.run("window.hit") is None


def shown(browser: Browser, selector: str) -> list[int]:
    """The widths of the pictures in an element, once they are decoded."""
    return browser.run(SHOWN % selector)


def settle(browser: Browser) -> None:
    """Wait until what was clicked has happened."""
    browser.run("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")


def test_medoids_and_doubtful_members_show_at_once(browser, report):
    browser.open(report.as_uri())
    assert shown(browser, ".medoid") == [300] * 3
    assert shown(browser, ".doubtful") == [128] * (10 + 10 + 7)
    assert browser.run("document.querySelectorAll('.gallery img').length") == 0


def test_members_are_shown_in_pages_when_asked_for(browser, report):
    browser.open(f"{report.as_uri()}#000")
    assert shown(browser, "[id='000'] .gallery") == [128] * 60
    assert browser.run("document.querySelector('.pager option').text").endswith(
        "60 of 70"
    )
    browser.run("document.querySelector('.pager button:last-child').click()")
    assert shown(browser, "[id='000'] .gallery") == [128] * 10
    assert browser.run("document.querySelector('.pager button:last-child').disabled")
    browser.run("document.querySelector('.pager button').click()")
    assert len(shown(browser, "[id='000'] .gallery")) == 60


def test_a_link_to_a_cluster_opens_it(browser, report):
    browser.open(report.as_uri())
    browser.run("document.querySelector('[id=\"001\"] .facts a').click()")
    settle(browser)
    assert browser.run("location.hash") == "#002"
    assert len(shown(browser, "[id='002'] .gallery")) == 8


def test_noise_opens_by_keyboard(browser, report):
    browser.open(report.as_uri())
    browser.run("document.querySelector('#noise summary').focus()")
    browser.press("Enter", 13)
    settle(browser)
    assert shown(browser, "#noise") == [128] * clustered.NOISE
    far = browser.run(
        "[...document.querySelectorAll('#noise .note a')].map(a => a.text)"
    )
    assert [text.split()[1] for text in far] == sorted(text.split()[1] for text in far)


def test_pictures_lead_to_originals_whatever_these_are_called(browser, report):
    found = set()
    for gallery in ("000", "001", "002", "noise"):
        browser.open(f"{report.as_uri()}#{gallery}")
        while True:
            links = f"[...document.querySelectorAll('[id=\"{gallery}\"] .gallery .picture')]"
            found |= set(browser.run(f"{links}.map(a => a.href)"))
            after = (
                f"document.querySelector('[id=\"{gallery}\"] .pager button:last-child')"
            )
            if not browser.run(f"{after} && !{after}.disabled"):
                break
            browser.run(f"{after}.click()")
    originals = {os.fsdecode(unquote_to_bytes(urlsplit(url).path)) for url in found}
    images = {str(p) for p in (report.parent / "images").rglob("*") if p.is_file()}
    assert originals == images


@pytest.mark.parametrize("width", [360, 1600])
def test_nothing_sticks_out(browser, report, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.call("Emulation.setDeviceMetricsOverride", **size)
    browser.open(f"{report.as_uri()}#000")
    assert browser.run("document.documentElement.scrollWidth") <= width
    browser.call("Emulation.clearDeviceMetricsOverride")


def test_dark_where_that_is_preferred(browser, report):
    grounds = []
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        browser.call("Emulation.setEmulatedMedia", features=[feature])
        browser.open(report.as_uri())
        grounds.append(browser.run("getComputedStyle(document.body).backgroundColor"))
    browser.call("Emulation.setEmulatedMedia", features=[])
    assert grounds == ["rgb(246, 246, 244)", "rgb(22, 22, 21)"]


def test_policy_lets_no_other_script_run_and_nothing_be_fetched(browser, report):
    browser.open(report.as_uri())
    browser.run(
        "document.body.append(Object.assign(document.createElement('script'),"
        " {text: 'window.hit = 1'}))"
    )
    asked = "fetch('https://example.org').then(() => 'came', () => 'refused')"
    assert browser.run(asked) == "refused"
    told = [event["params"]["entry"]["text"] for event in browser.trouble()]
    assert all("Content Security Policy" in text for text in told) and len(told) >= 2
    browser.events.clear()
