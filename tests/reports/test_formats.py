"""What every format must keep, for every verdict and for names that attack it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from markdown_it import MarkdownIt
from syrupy.assertion import SnapshotAssertion

from analyzers.report import Proof, Report, Verdict
from app.reports import clean, formats, words
from tests.reports import factory

HERE = Path(__file__).parent
FORMATS: tuple[formats.Format, ...] = tuple(formats.RENDERERS)
SARIF_SCHEMA = json.loads((HERE / "sarif-2.1.0-schema.json").read_text(encoding="utf-8"))
ARCHIVE = sorted((HERE / "archive").glob("*.json"))

every_verdict = pytest.mark.parametrize("verdict", factory.VERDICTS)
kind_or_hostile = pytest.mark.parametrize("hostile", [False, True], ids=["kind", "hostile"])


@pytest.mark.parametrize("output", FORMATS)
@kind_or_hostile
@every_verdict
def test_nothing_that_acts_on_a_terminal_is_in_the_output(
    verdict: Verdict, hostile: bool, output: formats.Format
) -> None:
    text = formats.render(factory.report(verdict, hostile=hostile), output)
    lines = text.replace("\t", " ").split("\n")
    assert [line for line in lines if not line.isprintable()] == []


@pytest.mark.parametrize("output", FORMATS)
def test_rendering_is_repeatable(output: formats.Format) -> None:
    report = factory.report("stuck")
    assert formats.render(report, output) == formats.render(report, output)


@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize("path", ARCHIVE, ids=lambda path: path.stem)
def test_archived_reports_still_render(path: Path, output: formats.Format) -> None:
    report = Report.model_validate_json(path.read_text(encoding="utf-8"))
    assert formats.render(report, output)


def test_there_are_archived_reports() -> None:
    assert ARCHIVE


@kind_or_hostile
@every_verdict
def test_json_is_the_report(verdict: Verdict, hostile: bool) -> None:
    report = factory.report(verdict, hostile=hostile)
    text = formats.render(report, "json")
    assert text.isascii()
    assert Report.model_validate_json(text) == report


# SARIF


def sarif_run(report: Report) -> dict[str, Any]:
    log = json.loads(formats.render(report, "sarif"))
    jsonschema.validate(log, SARIF_SCHEMA)
    return dict(log["runs"][0])


@kind_or_hostile
@every_verdict
def test_sarif_is_valid(verdict: Verdict, hostile: bool) -> None:
    run = sarif_run(factory.report(verdict, hostile=hostile, incomplete=True))
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [rules[result["ruleIndex"]] for result in run["results"]] == [
        one["ruleId"] for one in run["results"]
    ]
    assert not run["invocations"][0]["executionSuccessful"]


def test_sarif_tells_confirmed_refuted_and_ignored_apart() -> None:
    results = {one["ruleId"]: one for one in sarif_run(factory.report("stuck"))["results"]}
    assert results["verdict"]["level"] == "error"
    assert results["vanishing-gradient"]["level"] == "error"
    layer = results["vanishing-gradient"]["locations"][0]["logicalLocations"][0]
    assert layer == {"name": "block1_conv1", "fullyQualifiedName": "block1_conv1", "kind": "layer"}
    refuted = results["missing-input-normalization"]
    assert (refuted["kind"], refuted["level"]) == ("pass", "none")
    ignored = {one["ruleId"]: one for one in sarif_run(factory.report("unstable"))["results"]}
    assert ignored["redundant-bias"]["suppressions"]


def test_a_fine_model_is_clean_in_sarif() -> None:
    results = sarif_run(factory.report("converges"))["results"]
    assert {one["level"] for one in results} <= {"none", "note"}


# JUnit


def junit_cases(report: Report) -> dict[str, ET.Element]:
    suite = ET.fromstring(formats.render(report, "junit")).find("testsuite")  # noqa: S314 - we wrote it
    assert suite is not None
    cases = suite.findall("testcase")
    assert suite.get("tests") == str(len(cases))
    for tag, count in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        assert suite.get(count) == str(sum(case.find(tag) is not None for case in cases))
    return {case.get("name", ""): case for case in cases}


@kind_or_hostile
@every_verdict
def test_junit_has_a_case_a_rule_and_one_for_the_verdict(verdict: Verdict, hostile: bool) -> None:
    report = factory.report(verdict, hostile=hostile, incomplete=True)
    cases = junit_cases(report)
    assert set(cases) == {"verdict", *(check.rule for check in report.checks)}
    assert cases["dead-relu-units"].find("error") is not None
    assert cases["train-inference-gap"].find("skipped") is not None


def failure_type(case: ET.Element) -> str | None:
    failure = case.find("failure")
    return None if failure is None else failure.get("type")


def test_junit_failures_have_the_level_of_the_report() -> None:
    assert failure_type(junit_cases(factory.report("stuck"))["verdict"]) == "error"
    assert failure_type(junit_cases(factory.report("slow"))["verdict"]) == "warning"
    assert failure_type(junit_cases(factory.report("converges"))["verdict"]) is None
    cases = junit_cases(factory.report("unstable"))
    assert cases["redundant-bias"].find("skipped") is not None


# HTML


class Tags(HTMLParser):
    """Collects the tags and their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def tags_of(html: str) -> Iterator[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(html)
    return iter(parser.tags)


@kind_or_hostile
@every_verdict
def test_html_stands_alone_and_runs_nothing(verdict: Verdict, hostile: bool) -> None:
    html = formats.render(factory.report(verdict, hostile=hostile), "html")
    for tag, attributes in tags_of(html):
        assert tag not in {"script", "img", "link", "iframe", "object", "form", "evil", "textarea"}
        assert not [
            name for name in attributes if name.startswith("on") or name in {"style", "src", "srcset"}
        ]
        address = attributes.get("href") or "#"
        assert address.startswith(("#", "https://"))
    style = html.partition("<style>")[2].partition("</style>")[0]
    assert "&" not in style
    assert not re.search(r"@import|url\(", style)


def test_html_of_hostile_names_has_the_same_tags() -> None:
    kind, hostile = (formats.render(factory.report("stuck", hostile=flag), "html") for flag in (False, True))
    assert [tag for tag, _ in tags_of(kind)] == [tag for tag, _ in tags_of(hostile)]


# Markdown


def test_markdown_of_hostile_names_has_the_same_structure() -> None:
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    kind, hostile = (
        parser.render(formats.render(factory.report("stuck", hostile=flag), "markdown"))
        for flag in (False, True)
    )
    assert [tag for tag, _ in tags_of(kind)] == [tag for tag, _ in tags_of(hostile)]
    assert "@everyone" not in re.sub("<code>.*?</code>", "", hostile)
    assert "://" not in re.sub("<code>.*?</code>|<a .*?</a>", "", hostile)


def test_markdown_tables_keep_their_columns() -> None:
    text = formats.render(factory.report("stuck", hostile=True), "markdown")
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        counts = {len(re.findall(r"(?<!\\)\|", row)) for row in block.splitlines()}
        assert len(counts) == 1


# What depends on what the model is asked for

TEXTS: tuple[formats.Format, ...] = ("html", "markdown", "text")


@pytest.mark.parametrize("output", TEXTS)
@pytest.mark.parametrize(
    ("report", "shown", "other"),
    [
        pytest.param(factory.regression(), "variance explained", "accuracy", id="numbers"),
        pytest.param(factory.report("diverges"), "accuracy", "variance explained", id="classes"),
    ],
)
def test_the_figure_is_named_for_what_it_counts(
    report: Report, shown: str, other: str, output: formats.Format
) -> None:
    text = formats.render(report, output).lower()
    assert shown in text
    assert other not in text


@pytest.mark.parametrize("output", TEXTS)
def test_reports_from_before_the_field_are_of_classifiers(output: formats.Format) -> None:
    archived = next(path for path in ARCHIVE if "stuck" in path.stem).read_text(encoding="utf-8")
    assert "classes" not in json.loads(archived)["probe"]
    assert "variance explained" not in formats.render(Report.model_validate_json(archived), output).lower()


@pytest.mark.parametrize("output", TEXTS)
@every_verdict
def test_where_it_learns_is_shown_where_the_report_knows(verdict: Verdict, output: formats.Format) -> None:
    report = factory.report(verdict)
    known = report.trainability_map is not None
    assert ("Where it learns" in formats.render(report, output)) == known


@pytest.mark.parametrize("output", TEXTS)
def test_inputs_are_told_in_the_engines_words(output: formats.Format) -> None:
    text = formats.render(factory.regression(), output)
    assert "features in units of their own" in text
    assert "unscaled" not in text
    assert "pixel" not in text


def test_tokens_have_no_scale() -> None:
    report = factory.regression()
    tokens = report.model.inputs[0].model_copy(update={"kind": words.TOKENS})
    model = report.model.model_copy(update={"inputs": [tokens]})
    assert words.scale(report.model_copy(update={"model": model}), "standardized") == "token ids"
    assert words.scale(report, "standardized") == "standardised input"


@pytest.mark.parametrize("output", [*TEXTS, "junit", "sarif"])
def test_a_refuted_suspicion_asks_for_nothing(output: formats.Format) -> None:
    report = factory.report("stuck")
    refuted = next(finding for finding in report.findings if finding.status == "refuted")
    assert refuted.title in formats.render(report, output)
    assert refuted.fix not in formats.render(report, output).replace("\\", "")


@pytest.mark.parametrize("output", TEXTS)
def test_a_fix_without_a_proof_is_told_so(output: formats.Format) -> None:
    report = factory.report("stuck")
    assert report.fix is not None
    unproved = report.fix.model_copy(
        update={"verified": False, "proof": Proof(seeds=[], cured=0, original_failed=0)}
    )
    text = formats.render(report.model_copy(update={"fix": unproved}), output)
    assert words.UNPROVED in text
    assert "0 seeds" not in text
    assert words.UNPROVED not in formats.render(report, output)


@pytest.mark.parametrize("output", TEXTS)
def test_an_incomplete_report_says_what_it_lacks(output: formats.Format) -> None:
    unfinished = factory.report("stuck", incomplete=True)
    out_of_time = factory.report("stuck").model_copy(update={"incomplete": True})
    assert "some checks failed to run or were skipped" in formats.render(unfinished, output)
    assert "the time ran out before all was tried" in formats.render(out_of_time, output).replace("\n", " ")


# Whole renderings


@pytest.mark.parametrize("verdict", ["stuck", "conditional", "cannot_train"])
@pytest.mark.parametrize("output", ["text", "markdown", "junit"])
def test_rendering(verdict: Verdict, output: formats.Format, snapshot: SnapshotAssertion) -> None:
    assert formats.render(factory.report(verdict, incomplete=verdict == "conditional"), output) == snapshot


@pytest.mark.parametrize("output", ["text", "markdown"])
def test_rendering_of_numbers(output: formats.Format, snapshot: SnapshotAssertion) -> None:
    assert formats.render(factory.regression(), output) == snapshot


@pytest.mark.parametrize("output", ["text", "markdown"])
def test_hostile_rendering(output: formats.Format, snapshot: SnapshotAssertion) -> None:
    assert formats.render(factory.report("stuck", hostile=True), output) == snapshot


@pytest.mark.parametrize("verdict", ["stuck", "unstable"])
def test_sarif_results(verdict: Verdict, snapshot: SnapshotAssertion) -> None:
    run = sarif_run(factory.report(verdict))
    assert {key: run[key] for key in ("results", "artifacts", "invocations", "properties")} == snapshot


def test_html_finding(snapshot: SnapshotAssertion) -> None:
    html = formats.render(factory.report("stuck"), "html")
    assert re.findall(r"<details class=\"card finding.*?</details>", html, flags=re.DOTALL)[0] == snapshot


def test_html_map(snapshot: SnapshotAssertion) -> None:
    html = formats.render(factory.regression(), "html")
    assert re.findall(r"<table class=\"map\".*?</table>", html, flags=re.DOTALL)[0] == snapshot


def test_no_name_is_longer_than_its_limit() -> None:
    long = "a" * (clean.NAME_LIMIT + 1)
    for output in ("text", "markdown", "html", "sarif", "junit"):
        assert long not in formats.render(factory.report("stuck", hostile=True), output)
