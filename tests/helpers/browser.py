"""Pages in a real browser: Chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")

FLAGS = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
"""Nothing is found but what this machine serves."""

PATIENCE = 20_000
"""Milliseconds to wait for what a page is to show."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser; skips the test where there is none."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if not program:
        pytest.skip("needs chromium (on Debian: apt install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


class Watch:
    """What a page asks for, and what it should not cause: errors, warnings, dialogs."""

    def __init__(self, page: Page):
        self.requested: list[str] = []
        self.trouble: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda request: self.requested.append(request.url))
        page.on("console", lambda message: self.trouble.append(message.text))
        page.on("pageerror", lambda error: self.trouble.append(str(error)))
        page.on("dialog", self._dismiss)

    def _dismiss(self, dialog) -> None:
        self.trouble.append(dialog.message)
        dialog.dismiss()

    def asked(self) -> set[str]:
        """The addresses that were asked for, pictures within the page apart."""
        return {url for url in self.requested if not url.startswith("data:")}
