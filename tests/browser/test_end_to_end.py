"""The whole way on the real service: drop a stuck model, watch it being diagnosed, read and use the report."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keras
import pytest
from playwright.sync_api import BrowserContext, expect

from app.settings import Settings
from app.store import open_store
from tests.app.scripted_zygote import release, script
from tests.app.server import REAL, Server, start
from tests.browser.conftest import Complaints, copied_program
from tests.probe.models import plain
from tests.support import saved

BUDGET_S = 300
"""Far more than the diagnosis takes: a busy machine must not change what comes out of it."""
DIAGNOSIS_S = BUDGET_S + 60
DIAGNOSIS_MS = 1000 * DIAGNOSIS_S
DROP = """(bytes) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(bytes)], 'stuck.keras'));
    document.getElementById('drop').dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true}));
}"""


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Server]:
    """The real API and job table; only what the children do is scripted."""
    server = start(tmp_path / "data")
    yield server
    server.stop()


def test_every_message_of_the_api_is_understood(scripted: Server, context: BrowserContext) -> None:
    page = context.new_page()
    complaints = Complaints()
    complaints.watch(page, scripted.url)
    page.goto(scripted.url)
    page.locator("#file").set_input_files(
        {"name": "model.h5", "mimeType": "application/octet-stream", "buffer": script(probe="held")}
    )
    page.get_by_role("button", name="Diagnose").click()
    page.wait_for_url(f"{scripted.url}/diagnoses/*")
    expect(page.locator("#live-loss-value")).to_contain_text("at step")
    release(scripted.data)
    expect(page.locator("article.report")).to_be_visible()
    expect(page.locator("#kept")).to_contain_text("model.h5, kept until")
    assert complaints == []

    page.get_by_role("link", name="New diagnosis").click()
    expect(page.locator("#recent-rows tr")).to_have_count(1)
    page.locator("#file").set_input_files(
        {"name": "bad.h5", "mimeType": "application/octet-stream", "buffer": script(reading="unusable")}
    )
    page.get_by_role("button", name="Diagnose").click()
    expect(page.locator("#problem")).to_contain_text("The model in this file has no layers.")
    page.goto(scripted.url)
    page.locator("#file").set_input_files(
        {"name": "note.txt", "mimeType": "text/plain", "buffer": b"not a model"}
    )
    page.get_by_role("button", name="Diagnose").click()
    expect(page.locator("#problem")).to_contain_text("not a Keras model file")


def test_a_closed_service_asks_for_a_key_once(scripted: Server, context: BrowserContext) -> None:
    store = open_store(Settings(data=scripted.data))
    _, key = store.keys.create("person", ["read", "write"])
    store.database.close()
    page = context.new_page()
    page.goto(scripted.url)
    page.get_by_label("API key").fill("usk_wrong_key")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#key-problem")).to_contain_text("does not hold")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#sign-in")).to_have_count(0)
    page.locator("#file").set_input_files(
        {"name": "mine.h5", "mimeType": "application/octet-stream", "buffer": script(salt="session")}
    )
    page.get_by_role("button", name="Diagnose").click()
    page.wait_for_url(f"{scripted.url}/diagnoses/*")
    expect(page.locator("article.report")).to_be_visible(timeout=30_000)
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="Delete").click()
    page.locator("#confirm-delete").click()
    page.wait_for_url(f"{scripted.url}/")
    expect(page.locator("#retention")).to_contain_text("7 days")
    expect(page.locator("#sign-in")).to_have_count(0)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Server]:
    server = start(tmp_path / "data", REAL)
    yield server
    server.stop()


@pytest.mark.timeout(DIAGNOSIS_S + 200)
def test_from_a_dropped_file_to_a_fix(service: Server, context: BrowserContext, tmp_path: Path) -> None:
    stuck = saved(plain(keras.optimizers.Adam(0.3)), tmp_path)
    page = context.new_page()
    complaints = Complaints()
    complaints.watch(page, service.url)

    page.goto(service.url)
    expect(page.locator("#retention")).to_contain_text("7 days")
    page.evaluate(DROP, list(stuck.read_bytes()))
    page.get_by_text("Options", exact=True).click()
    page.get_by_label("Training budget, seconds").fill(str(BUDGET_S))
    page.locator("#input_range").select_option("standardized")
    page.get_by_role("button", name="Diagnose").click()
    page.wait_for_url(f"{service.url}/diagnoses/*")
    expect(page.locator("#live")).to_be_visible()
    expect(page.locator("#live-loss-value")).to_contain_text("at step", timeout=DIAGNOSIS_MS)

    article = page.locator("article.report")
    expect(article).to_have_attribute("data-verdict", "stuck", timeout=DIAGNOSIS_MS)
    expect(page.locator("#loss canvas")).to_be_visible()
    expect(page.locator("#loss .legend")).to_contain_text("Fixed")
    assert page.locator("#gradients circle.original").count() >= 3
    expect(page.locator(".finding").first).to_be_visible()
    expect(page.locator("#fix .chip").first).to_have_text("Verified")

    program = copied_program(page)
    compile(program, "repaired.py", "exec")
    assert "def build_model" in program
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the repaired model").click()
    assert Path(download.value.path()).read_bytes().startswith(b"PK")
    assert complaints == []

    page.get_by_role("button", name="Delete").click()
    page.locator("#confirm-delete").click()
    page.wait_for_url(f"{service.url}/")
    expect(page.locator("#recent")).to_be_hidden()
