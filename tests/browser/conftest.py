"""A browser, and the pages on canned answers."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, expect, sync_playwright

from tests.browser import harness
from tests.waiting import PATIENCE_S, join, until

PATIENCE_MS = 1000 * PATIENCE_S
SYSTEM_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium, or the one that playwright installed."""
    path = next(filter(None, map(shutil.which, SYSTEM_BROWSERS)), None)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        expect.set_options(timeout=PATIENCE_MS)
        yield launched
        launched.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser without a past, which may use the clipboard, and waits for busy machines."""
    opened = browser.new_context(viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(PATIENCE_MS)
    opened.grant_permissions(["clipboard-read", "clipboard-write"])
    yield opened
    opened.close()


def copied_program(page: Page) -> str:
    """What the button that copies the repaired program puts into the clipboard."""
    page.evaluate("window.setTimeout = () => 0")  # what the button says then, it says until it is read
    page.get_by_role("button", name="Copy the repaired program").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    return str(page.evaluate("navigator.clipboard.readText()"))


class Complaints(list[str]):
    """What a page complained about: script errors, refused styles, dialogs, requests to other hosts."""

    def watch(self, page: Page, origin: str) -> None:
        """Listen to a page that may only talk to ``origin``."""
        page.on("pageerror", lambda error: self.append(f"error: {error}"))
        page.on("console", self._said)
        page.on("dialog", self._asked)
        page.on("request", lambda request: self._asked_for(request.url, origin))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.append(message.text)

    def _asked(self, dialog: Dialog) -> None:
        self.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _asked_for(self, address: str, origin: str) -> None:
        if not address.startswith((origin, "blob:")):
            self.append(f"request: {address}")


@pytest.fixture
def canned() -> Iterator[tuple[str, FastAPI]]:
    """The harness on a port of its own: its address, and the application."""
    app = harness.create_app()
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}", app
    server.should_exit = True
    join(thread)
