"""Every state of the pages, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.sync_api import BrowserContext, Page, expect

from analyzers.options import Options
from tests.browser.conftest import Complaints, copied_program
from tests.browser.harness import NAMES
from tests.reports import factory
from tests.waiting import until

WIDTHS = (360, 390, 1280, 1440)
REPORTS = tuple(name for name in NAMES if name.removeprefix("hostile-") in factory.VERDICTS)


@pytest.fixture
def opened(context: BrowserContext, canned: tuple[str, FastAPI]) -> tuple[Page, str, Complaints]:
    address, _ = canned
    page = context.new_page()
    complaints = Complaints()
    complaints.watch(page, address)
    return page, address, complaints


def overflow(page: Page) -> int:
    """Pixels by which the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def unlabelled(page: Page) -> list[str]:
    """Controls and links without a name."""
    script = """() => [...document.querySelectorAll('a, button, input, select, progress')]
        .filter((node) => !(node.textContent.trim() || node.labels?.length || node.getAttribute('aria-label')
            || node.getAttribute('aria-labelledby')))
        .map((node) => node.outerHTML)"""
    return list(page.evaluate(script))


@pytest.mark.parametrize("name", REPORTS)
def test_reports_of_every_verdict(opened: tuple[Page, str, Complaints], name: str) -> None:
    page, address, complaints = opened
    page.goto(f"{address}/diagnoses/{name}")
    article = page.locator("article.report")
    expect(article).to_have_attribute("data-verdict", name.removeprefix("hostile-"))
    expect(page.locator("h1:visible")).to_have_count(1)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert overflow(page) <= 0, f"{width} px"
    assert unlabelled(page) == []
    assert complaints == []


def test_the_parts_of_a_report(opened: tuple[Page, str, Complaints]) -> None:
    page, address, complaints = opened
    page.goto(f"{address}/diagnoses/stuck")
    expect(page.locator("#loss canvas")).to_be_visible()
    expect(page.locator("#gradients tbody tr")).to_have_count(len(factory.LAYERS))
    expect(page.locator("#gradients circle")).to_have_count(2 * len(factory.LAYERS))
    expect(page.locator("#findings .finding")).to_have_count(3)
    expect(page.locator(".finding[open]")).to_have_attribute("data-rule", "vanishing-gradient")
    assert until(lambda: re.fullmatch(r"Step \d+: as it is .*, fixed .+", readout(page)))
    for label in ("HTML", "Markdown", "JSON", "SARIF", "JUnit", "Text"):
        assert page.request.get(
            address + str(page.get_by_role("link", name=label, exact=True).get_attribute("href"))
        ).ok
    assert complaints == []


def readout(page: Page) -> str:
    """What the picture of the loss says when the pointer enters it; it may have been drawn anew since."""
    page.mouse.move(0, 0)
    page.locator("#loss .u-over").hover()
    return page.locator(".readout").inner_text()


BROKEN_WORDS = r"""() => [...document.querySelectorAll('.map th, .map td')].flatMap((cell) => {
    const range = document.createRange();
    return [...cell.firstChild.data.matchAll(/\w+/g)].filter((word) => {
        range.setStart(cell.firstChild, word.index);
        range.setEnd(cell.firstChild, word.index + word[0].length);
        return new Set([...range.getClientRects()].map((box) => box.top)).size > 1;
    }).map((word) => word[0]);
})"""
"""Words of the map that are on two lines."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_map_of_where_it_learns(opened: tuple[Page, str, Complaints], scheme: str) -> None:
    page, address, complaints = opened
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(f"{address}/diagnoses/regression")
    cells = page.locator("#trainability td")
    expect(cells).to_have_text(["learned", "not run", "diverged", "diverged"])
    expect(page.locator("#trainability figcaption")).to_contain_text("learning rate and on each input scale")
    expect(page.locator("#trainability tbody th")).to_have_text(["0.001", "0.01 its own"])
    grounds = cells.evaluate_all("cells => cells.map((cell) => getComputedStyle(cell).backgroundColor)")
    assert len(set(grounds)) == 3
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert overflow(page) <= 0, f"{width} px"
        assert page.evaluate(BROKEN_WORDS) == [], f"{width} px"
        box, figure = (page.locator(one).bounding_box() for one in (".map", "#trainability"))
        assert box is not None
        assert figure is not None
        assert box["x"] >= figure["x"]
        assert box["x"] + box["width"] <= figure["x"] + figure["width"]
    assert complaints == []


def test_the_figure_of_numbers_is_named(opened: tuple[Page, str, Complaints]) -> None:
    page, address, _ = opened
    page.goto(f"{address}/diagnoses/regression")
    article = page.locator("article.report")
    expect(article.get_by_role("columnheader", name="Variance explained")).to_have_count(3)
    expect(article).not_to_contain_text("Accuracy")
    page.goto(f"{address}/diagnoses/stuck")
    expect(article.get_by_role("columnheader", name="Accuracy")).to_have_count(3)


def test_the_fix_can_be_copied_and_downloaded(opened: tuple[Page, str, Complaints]) -> None:
    page, address, complaints = opened
    page.goto(f"{address}/diagnoses/stuck")
    assert copied_program(page) == factory.PROGRAM
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the repaired model").click()
    assert Path(download.value.path()).read_bytes() == b"model"
    assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_told_from_its_ground(opened: tuple[Page, str, Complaints], scheme: str) -> None:
    """WCAG AA: 4.5 to 1 for the text colours on the surfaces that they are used on."""
    page, address, _ = opened
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(f"{address}/")
    pairs = [
        ("ink", "page"), ("ink", "surface"), ("muted", "page"), ("muted", "surface"), ("muted", "sunken"),
        ("accent", "surface"), ("accent", "page"), ("accent-ink", "accent"),
        *((tone, ground) for tone in ("good", "warn", "bad", "neutral") for ground in ("surface", f"{tone}-tint")),
    ]  # fmt: skip
    script = """(name) => {
        const colour = getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
        return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
    }"""
    for text, ground in pairs:
        lighter, darker = sorted(
            (luminance(page.evaluate(script, one)) for one in (text, ground)), reverse=True
        )
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (text, ground)


def luminance(colour: list[int]) -> float:
    linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_progress_and_then_the_report(
    opened: tuple[Page, str, Complaints], canned: tuple[str, FastAPI]
) -> None:
    page, address, complaints = opened
    canned[1].state.held = True
    page.goto(f"{address}/diagnoses/running")
    expect(page.locator("#live-chart canvas")).to_be_visible()
    expect(page.locator("#stages li.now")).to_have_count(1)
    expect(page.locator("#live-loss-value")).to_contain_text("at step")
    canned[1].state.held = False
    expect(page.locator("article.report")).to_be_visible()
    expect(page.locator("#live")).to_be_hidden()
    assert complaints == []


def test_a_failed_diagnosis_says_what_to_do(opened: tuple[Page, str, Complaints]) -> None:
    page, address, _ = opened
    page.goto(f"{address}/diagnoses/failed")
    alert = page.locator("#problem")
    expect(alert).to_contain_text("This is a PyTorch file.")
    expect(alert).to_contain_text("zip archive with archive/data.pkl")
    expect(alert.get_by_role("link", name="Upload another file")).to_be_visible()
    expect(page.locator("#live")).to_be_hidden()


@pytest.mark.parametrize(
    ("name", "words"), [("cancelled", "was cancelled"), ("never-was", "no diagnosis of this id")]
)
def test_other_ends(opened: tuple[Page, str, Complaints], name: str, words: str) -> None:
    page, address, _ = opened
    page.goto(f"{address}/diagnoses/{name}")
    expect(page.locator("#problem")).to_contain_text(words)


def test_delete_asks_first(opened: tuple[Page, str, Complaints], canned: tuple[str, FastAPI]) -> None:
    page, address, _ = opened
    page.goto(f"{address}/diagnoses/stuck")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Keep it").click()
    assert canned[1].state.deleted == set()
    page.get_by_role("button", name="Delete").click()
    page.locator("#confirm-delete").click()
    page.wait_for_url(f"{address}/")
    assert canned[1].state.deleted == {"stuck"}


def test_upload_with_options(
    opened: tuple[Page, str, Complaints], canned: tuple[str, FastAPI], tmp_path: Path
) -> None:
    page, address, complaints = opened
    (tmp_path / "mine.keras").write_bytes(b"PK" * 1000)
    page.goto(f"{address}/")
    expect(page.locator("#retention")).to_contain_text("7 days")
    expect(page.get_by_role("button", name="Diagnose")).to_be_disabled()
    page.locator("#file").set_input_files(tmp_path / "mine.keras")
    page.get_by_text("Options", exact=True).click()
    page.get_by_label("Range of your input data").select_option("0-255")
    page.get_by_label("Task", exact=True).select_option("regression")
    page.get_by_label("Range of the targets").fill("-1.5, 2e3")
    page.get_by_label("Learning rate").fill("0.001")
    page.get_by_label("Rules to ignore").fill("redundant-bias, fixed-batch-size")
    page.get_by_role("button", name="Diagnose").click()
    page.wait_for_url(f"{address}/diagnoses/running")
    assert canned[1].state.fields == {
        "file": "mine.keras",
        "input_range": "0-255",
        "task": "regression",
        "target_range": "-1.5, 2e3",
        "learning_rate": "0.001",
        "probe": "auto",
        "budget_s": "120",
        "seed": "0",
        "ignore": "redundant-bias, fixed-batch-size",
    }
    assert complaints == []


def test_refused_options_are_explained(opened: tuple[Page, str, Complaints], tmp_path: Path) -> None:
    page, address, _ = opened
    (tmp_path / "mine.keras").write_bytes(b"PK")
    page.goto(f"{address}/")
    page.locator("#file").set_input_files(tmp_path / "mine.keras")
    page.get_by_text("Options", exact=True).click()
    page.get_by_label("Loss").fill("refused")
    page.get_by_role("button", name="Diagnose").click()
    expect(page.locator("#problem")).to_contain_text("loss: is not a Keras loss")
    expect(page.get_by_role("button", name="Diagnose")).to_be_enabled()


def test_a_value_out_of_range_is_not_sent(
    opened: tuple[Page, str, Complaints], canned: tuple[str, FastAPI], tmp_path: Path
) -> None:
    page, address, _ = opened
    (tmp_path / "mine.keras").write_bytes(b"PK")
    page.goto(f"{address}/")
    page.locator("#file").set_input_files(tmp_path / "mine.keras")
    page.get_by_text("Options", exact=True).click()
    page.get_by_label("Training budget, seconds").fill("100000")
    page.get_by_role("button", name="Diagnose").click()
    expect(page.locator("#budget_s:invalid")).to_be_focused()
    assert canned[1].state.fields == {}


def test_a_range_is_two_numbers(opened: tuple[Page, str, Complaints]) -> None:
    page, address, complaints = opened
    page.goto(f"{address}/")
    page.get_by_text("Options", exact=True).click()
    field = page.get_by_label("Range of the targets")
    pattern = field.get_attribute("pattern")
    assert page.evaluate("(pattern) => new RegExp(pattern, 'v').unicodeSets", pattern)
    for text in ("", "0,50", "-1, 1", " +.5 , 1e+3 ", "0.,1.E6"):
        field.fill(text)
        assert field.evaluate("(field) => field.checkValidity()"), text
        if text:
            assert Options.model_validate({"target_range": text}).target_range
    for text in ("50", "0-50", "0,50,100", "low,high", "+-1,2", ",", "1,"):
        field.fill(text)
        assert not field.evaluate("(field) => field.checkValidity()"), text
    assert complaints == []


def test_a_file_over_the_limit_is_not_sent(opened: tuple[Page, str, Complaints], tmp_path: Path) -> None:
    page, address, _ = opened
    (tmp_path / "large.h5").write_bytes(bytes(1_000_001))
    page.goto(f"{address}/")
    expect(page.locator("#upload-limit")).to_contain_text("1.0 MB")
    page.locator("#file").set_input_files(tmp_path / "large.h5")
    expect(page.locator("#problem")).to_contain_text("larger than the limit")
    expect(page.get_by_role("button", name="Diagnose")).to_be_disabled()


def test_a_dropped_file_and_the_example(
    opened: tuple[Page, str, Complaints], canned: tuple[str, FastAPI]
) -> None:
    page, address, complaints = opened
    page.goto(f"{address}/")
    page.evaluate(
        """() => {
            const data = new DataTransfer();
            data.items.add(new File(['PK'], 'dropped.keras'));
            document.getElementById('drop').dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true}));
        }"""
    )
    expect(page.locator("#chosen")).to_contain_text("dropped.keras (2 B)")
    page.get_by_role("button", name="Try an example").click()
    page.wait_for_url(f"{address}/diagnoses/running")
    assert canned[1].state.fields["file"] == "stuck-cnn.keras"
    assert complaints == []


def test_the_upload_page_on_every_width(opened: tuple[Page, str, Complaints]) -> None:
    page, address, complaints = opened
    page.goto(f"{address}/")
    expect(page.locator("#recent-rows tr")).to_have_count(3)
    page.get_by_text("Options", exact=True).click()
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert overflow(page) <= 0, f"{width} px"
    assert unlabelled(page) == []
    assert complaints == []


def test_the_keyboard_reaches_the_file_chooser(opened: tuple[Page, str, Complaints]) -> None:
    page, address, _ = opened
    page.on("filechooser", lambda _: None)  # choosers are caught from here on, so the key cannot outrun it
    page.goto(f"{address}/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.locator("#file")).to_be_focused()
    with page.expect_file_chooser():
        page.keyboard.press("Space")


def test_pages_allow_nothing_inline(opened: tuple[Page, str, Complaints]) -> None:
    page, address, _ = opened
    for path in ("/", "/diagnoses/stuck", "/diagnoses/%22%3E%3Cscript%3Ealert(1)"):
        answer = page.request.get(address + path)
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert not re.search(r"<script(?![^>]*\ssrc=)|\sstyle=|\son\w+=|<style", answer.text())
