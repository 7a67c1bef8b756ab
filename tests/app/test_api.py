"""The API on a real server process; its children do what the uploaded "model file" says."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import jsonschema
import pytest
from prometheus_client.parser import text_string_to_metric_families

from analyzers.bounds import MAX_LAYERS, MAX_MEMBERS
from analyzers.report import Report
from app.errors import PROBLEM_JSON
from app.jobs.lanes import LANES
from tests.app import server as servers
from tests.app.calls import WAIT_S, assert_problem, ended, events, running, send
from tests.app.scripted_zygote import MAGIC, release, script
from tests.app.server import Server
from tests.waiting import until

LIMIT = 600_000_000
REPAIRED = hashlib.sha256(b"repaired").hexdigest()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = servers.start(
        tmp_path_factory.mktemp("service"), upload_bytes=LIMIT, reading_cpu_s=6, memory_bytes=2**28
    )
    yield started
    started.stop()


@pytest.fixture
def client(server: Server) -> Iterator[httpx2.Client]:
    with server.client() as opened:
        yield opened


def test_a_diagnosis_is_accepted_followed_and_fetched(client: httpx2.Client) -> None:
    accepted = send(client)
    assert accepted.status_code == 202
    body = accepted.json()
    assert accepted.headers["location"] == body["links"]["self"] == f"/v1/diagnoses/{body['id']}"
    assert body["status"] == "queued"
    document = ended(client, body["links"]["self"])
    report = Report.model_validate(document["report"])
    assert report.id == body["id"]
    assert document["file_name"] == "model.h5"
    alone = client.get(body["links"]["report"])
    assert alone.headers["content-type"] == "application/json"
    assert alone.json() == document["report"]
    jsonschema.validate(alone.json(), client.get("/v1/schemas/report").json())


def test_waiting_answers_with_the_report(client: httpx2.Client) -> None:
    response = send(client, wait=WAIT_S)
    assert response.status_code == 200
    assert response.json()["verdict"] == "stuck"
    assert response.headers["location"].startswith("/v1/diagnoses/")


def test_waiting_too_short_answers_as_without(client: httpx2.Client) -> None:
    response = send(client, script(probe="hang", salt=0), wait=0.1)
    assert response.status_code == 202
    client.delete(response.headers["location"])


def test_a_static_job_does_not_wait_behind_a_running_probe(client: httpx2.Client) -> None:
    address = send(client, script(probe="hang", salt=3)).headers["location"]
    running(client, address)
    assert send(client, wait=WAIT_S, probe="off").status_code == 200
    assert client.get(address).json()["status"] == "running"
    client.delete(address)


def test_the_same_question_is_answered_at_once_from_the_stored_report(client: httpx2.Client) -> None:
    content = script(salt="asked twice")
    first = send(client, content, wait=WAIT_S).json()
    again = send(client, content)
    assert (again.status_code, again.json()["status"]) == (202, "succeeded")
    report = client.get(again.headers["location"]).json()["report"]
    assert report["id"] == again.json()["id"] != first["id"]
    repaired = client.get(report["fix"]["repaired_model"])
    assert (repaired.status_code, repaired.content) == (200, b"repaired")
    assert [kind for kind, _, _ in events(client, again.headers["location"])] == ["done"]
    fresh = client.post(
        "/v1/diagnoses", files={"file": ("m.h5", content)}, headers={"Cache-Control": "no-cache"}
    )
    assert fresh.json()["status"] == "queued"
    ended(client, fresh.headers["location"])


def test_a_request_that_is_sent_twice_makes_one_job(client: httpx2.Client) -> None:
    def post(content: bytes, key: str, **fields: str) -> httpx2.Response:
        files = {"file": ("m.h5", content)}
        return client.post("/v1/diagnoses", files=files, data=fields, headers={"Idempotency-Key": key})

    content = script(salt="idempotent")
    first, second = post(content, "one"), post(content, "one")
    assert first.headers["location"] == second.headers["location"]
    assert_problem(post(script(salt="another"), "one"), 422, "idempotency-mismatch")
    assert_problem(post(content, "one", seed="1"), 422, "idempotency-mismatch")
    assert_problem(post(b"GIF89a", "two"), 415, "not-a-model")
    assert post(content, "two").status_code == 202  # what became no job may be sent again
    assert_problem(post(content, "x" * 256), 422, "invalid-request")


def test_lists_are_walked_by_their_links_and_filtered(client: httpx2.Client) -> None:
    sent = [send(client, probe="off", wait=WAIT_S).headers["location"] for _ in range(3)]
    address: str | None = "/v1/diagnoses?limit=2"
    seen: list[str] = []
    while address is not None:
        page = client.get(address).json()
        assert len(page["diagnoses"]) <= 2
        seen += [item["links"]["self"] for item in page["diagnoses"]]
        address = page["next"]
    assert seen[:3] == sent[::-1]
    assert len(seen) == len(set(seen))
    sha256 = client.get(sent[1]).json()["sha256"]
    found = client.get("/v1/diagnoses", params={"sha256": sha256, "status": "succeeded"}).json()
    assert [item["links"]["self"] for item in found["diagnoses"]] == [sent[1]]
    assert client.get("/v1/diagnoses", params={"file_name": "none"}).json()["diagnoses"] == []
    for wrong in ({"cursor": "@"}, {"cursor": "W10"}, {"status": "odd"}):
        assert_problem(client.get("/v1/diagnoses", params=wrong), 422, "invalid-request")


def test_the_senders_word_on_task_and_targets_is_kept_with_the_job(client: httpx2.Client) -> None:
    location = send(client, task="regression", target_range="0, 50.5").headers["Location"]
    options = client.get(location).json()["options"]
    assert (options["task"], options["target_range"]) == ("regression", [0, 50.5])


def test_what_cannot_be_obeyed_is_not_accepted(client: httpx2.Client) -> None:
    assert_problem(send(client, task="chess"), 422, "invalid-options")
    for text in ("0-1", "5,2", "0,nan"):
        assert_problem(send(client, target_range=text), 422, "invalid-options")
    for address in ("ftp://x/y", "not a url", "http://u:p@host/", "http:///path", "https://h:99999/"):
        problem = assert_problem(send(client, callback_url=address), 422, "invalid-options")
        assert problem["errors"][0]["field"] == "callback_url"


def test_metrics_tell_the_queue_the_workers_and_what_was_found(client: httpx2.Client) -> None:
    send(client, wait=WAIT_S)
    told = 'unstuck_child_exits_total{cause="finished"}'
    text = until(lambda: text if told in (text := client.get("/metrics").text) else None)
    figures = {family.name: family for family in text_string_to_metric_families(text)}
    verdicts = {sample.labels["verdict"]: sample.value for sample in figures["unstuck_verdicts"].samples}
    assert verdicts["stuck"] >= 1
    waiting = {(s.labels["lane"], s.labels["status"]): s.value for s in figures["unstuck_jobs"].samples}
    assert set(waiting) == {(lane, state) for lane in LANES for state in ("queued", "running")}
    assert [sample.value for sample in figures["unstuck_worker_ready"].samples] == [1.0]
    assert figures["unstuck_worker_memory_bytes"].samples[0].value > 2**20
    assert {"unstuck_jobs_ended", "unstuck_seconds", "unstuck_stored_bytes"} <= set(figures)
    routes = {sample.labels["route"] for sample in figures["unstuck_http_requests"].samples}
    assert "/v1/diagnoses" in routes
    assert "process_resident_memory_bytes" in figures


def test_answers_carry_safe_headers_and_their_request_id(client: httpx2.Client) -> None:
    answer = client.get("/v1/limits", headers={"X-Request-ID": "mine-1"})
    assert answer.headers["x-request-id"] == "mine-1"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    forged = client.get("/nowhere", headers={"X-Request-ID": "a b"})
    assert re.fullmatch("[0-9a-f]{16}", forged.headers["x-request-id"])
    page = client.get("/")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["referrer-policy"] == "no-referrer"


def test_what_reading_finds_is_the_answer_of_a_waiting_request(client: httpx2.Client) -> None:
    problem = assert_problem(send(client, script(reading="unusable"), wait=WAIT_S), 422, "no-layers")
    assert problem["detail"] == "seen by a test"


def test_what_reading_finds_ends_the_job(client: httpx2.Client) -> None:
    address = send(client, script(reading="crash")).headers["location"]
    document = ended(client, address)
    assert document["status"] == "failed"
    assert (document["error"]["code"], document["error"]["status"]) == ("reading-crash", 422)
    assert_problem(client.get(f"{address}/report"), 409, "no-report")
    assert_problem(client.get(f"{address}/repaired-model"), 404, "no-repaired-model")


def test_our_own_faults_are_internal(client: httpx2.Client) -> None:
    problem = assert_problem(send(client, script(probe="fault"), wait=WAIT_S), 500, "diagnosis-failed")
    assert problem["kind"] == "internal"
    assert "detail" not in problem


def test_events_come_with_rising_steps_before_the_report_exists(
    client: httpx2.Client, server: Server
) -> None:
    address = send(client, script(probe="held")).headers["location"]
    steps = []
    for kind, _, data in events(client, address):
        if kind == "done":
            assert data == {"status": "succeeded", "error": None}
            break
        steps.append(data["step"])
        if len(steps) == 5:
            assert client.get(address).json()["report"] is None
            release(server.data)
    assert len(steps) >= 5
    assert steps == sorted(set(steps))
    replayed = list(events(client, address, **{"Last-Event-ID": "3"}))
    assert [number for _, number, _ in replayed] == [str(number) for number in range(4, len(steps) + 2)]


def test_reports_come_in_the_format_asked_for(client: httpx2.Client) -> None:
    address = send(client, wait=WAIT_S).headers["location"] + "/report"
    for name, media in {
        "json": "application/json",
        "sarif": "application/sarif+json",
        "junit": "application/xml",
        "markdown": "text/markdown",
        "html": "text/html",
        "text": "text/plain",
    }.items():
        by_name = client.get(address, params={"format": name})
        by_header = client.get(address, headers={"Accept": f"image/png;q=0.9, {media}, */*;q=0.1"})
        assert by_name.headers["content-type"].partition(";")[0] == media
        assert by_header.text == by_name.text
    assert client.get(address).headers["content-type"] == "application/json"
    assert_problem(client.get(address, headers={"Accept": "image/png"}), 406, "not-acceptable")
    assert_problem(client.get(address, params={"format": "pdf"}), 422, "invalid-request")


def test_the_repaired_model_is_downloaded(client: httpx2.Client) -> None:
    response = send(client, wait=WAIT_S)
    link = response.json()["fix"]["repaired_model"]
    downloaded = client.get(link)
    assert downloaded.content == b"repaired"
    assert ".keras" in downloaded.headers["content-disposition"]


def test_a_damaged_repaired_model_is_not_sent(client: httpx2.Client, server: Server) -> None:
    link = send(client, wait=WAIT_S).json()["fix"]["repaired_model"]
    path = server.data / "blobs" / REPAIRED[:2] / REPAIRED
    try:
        path.write_bytes(b"Repaired")
        assert_problem(client.get(link), 500, "stored-file-damaged")
    finally:
        path.write_bytes(b"repaired")


def test_deleting_a_running_diagnosis_kills_it_and_erases_everything(
    client: httpx2.Client, server: Server
) -> None:
    address = send(client, script(probe="hang", salt=1)).headers["location"]
    running(client, address)
    assert_problem(client.get(f"{address}/report"), 409, "report-not-ready")
    sha256 = client.get(address).json()["sha256"]
    assert client.delete(address).status_code == 204
    assert_problem(client.get(address), 404, "diagnosis-not-found")
    assert_problem(client.delete(address), 404, "diagnosis-not-found")
    assert not list((server.data / "blobs").rglob(sha256))
    assert send(client, wait=WAIT_S).status_code == 200  # the worker is free again


def test_followers_of_a_deleted_diagnosis_are_told(client: httpx2.Client) -> None:
    address = send(client, script(probe="hang", salt=2)).headers["location"]
    running(client, address)
    for kind, _, data in events(client, address):
        if kind == "done":
            assert data["status"] == "cancelled"
            return
        client.delete(address)
    raise AssertionError("no last event")


def test_the_newest_diagnoses_are_listed_first(client: httpx2.Client) -> None:
    first, second = (send(client).headers["location"] for _ in range(2))
    listed = client.get("/v1/diagnoses", params={"limit": 2}).json()["diagnoses"]
    assert [item["links"]["self"] for item in listed] == [second, first]
    assert_problem(client.get("/v1/diagnoses", params={"limit": 0}), 422, "invalid-request")
    ended(client, second)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "git-lfs-pointer"),
        (b"<!DOCTYPE html><html>", "html-page"),
        (b"\x80\x04\x95pickle", "pickle-file"),
        (b"\x1c\x00\x00\x00TFL3" + bytes(100), "tflite-file"),
        (b"GIF89a", "not-a-model"),
        (b"PK", "truncated-file"),
        (b"\x00" * 3_000_000, "not-a-model"),
    ],
)
def test_what_is_no_model_is_refused_by_its_first_bytes(
    client: httpx2.Client, content: bytes, code: str
) -> None:
    assert_problem(send(client, content), 415, code)


def test_an_empty_file_is_refused(client: httpx2.Client) -> None:
    response = client.post("/v1/diagnoses", files={"file": ("model.h5", b"")})
    assert_problem(response, 415, "empty-file")


def test_a_chunked_file_over_the_limit_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    small = servers.start(tmp_path, ready=False, upload_bytes=100_000)
    try:
        with small.client() as client:
            assert_problem(send(client, MAGIC + bytes(100_000)), 413, "upload-too-large")
            assert_problem(send(client, MAGIC + bytes(3_000_000)), 413, "upload-too-large")

            def chunks() -> Iterator[bytes]:
                yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="m"\r\n\r\n' + MAGIC
                for _ in range(50):
                    yield bytes(10_000)
                yield b"\r\n--x--\r\n"

            header = {"content-type": "multipart/form-data; boundary=x"}
            assert_problem(
                client.post("/v1/diagnoses", content=chunks(), headers=header), 413, "upload-too-large"
            )
        assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []
    finally:
        small.stop()


def test_options_are_checked(client: httpx2.Client) -> None:
    problem = assert_problem(send(client, learning_rate="-1", probe="maybe"), 422, "invalid-options")
    assert {error["field"] for error in problem["errors"]} == {"learning_rate", "probe"}
    assert_problem(send(client, no_such_option="1"), 422, "invalid-options")
    accepted = send(client, learning_rate="0.5", loss="", ignore="a, b", probe="off")
    options = client.get(accepted.headers["location"]).json()["options"]
    assert (options["learning_rate"], options["loss"], options["ignore"]) == (0.5, None, ["a", "b"])


def test_bodies_that_are_no_upload_are_refused(client: httpx2.Client) -> None:
    assert_problem(client.post("/v1/diagnoses", json={}), 415, "not-multipart")
    assert_problem(client.post("/v1/diagnoses"), 415, "not-multipart")
    assert_problem(client.post("/v1/diagnoses", files={"other": b"x"}), 422, "file-missing")
    header = {"content-type": "multipart/form-data; boundary=x"}
    assert_problem(client.post("/v1/diagnoses", content=b"junk", headers=header), 400, "bad-form")
    cut = b'--x\r\nContent-Disposition: form-data; name="file"; filename="m"\r\n\r\n' + MAGIC + bytes(100)
    assert_problem(client.post("/v1/diagnoses", content=cut, headers=header), 400, "bad-form")
    twice = [("file", ("a", script())), ("file", ("b", script()))]
    assert_problem(client.post("/v1/diagnoses", files=twice), 422, "invalid-request")
    assert_problem(client.post("/v1/diagnoses?wait=-1", files={"file": script()}), 422, "invalid-request")


@pytest.mark.parametrize(
    ("method", "address", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("GET", "/v1/nowhere", 404, "not-found"),
        ("GET", "/v1/diagnoses/none", 404, "diagnosis-not-found"),
        ("GET", "/v1/diagnoses/none/report", 404, "diagnosis-not-found"),
        ("GET", "/v1/diagnoses/none/events", 404, "diagnosis-not-found"),
        ("GET", "/v1/diagnoses/none/repaired-model", 404, "diagnosis-not-found"),
        ("GET", "/v1/rules/none", 404, "rule-not-found"),
        ("PUT", "/v1/diagnoses", 405, "method-not-allowed"),
        ("POST", "/v1/limits", 405, "method-not-allowed"),
        ("GET", "/static/../../settings.py", 404, "not-found"),
    ],
)
def test_every_error_is_a_problem_document(
    client: httpx2.Client, method: str, address: str, status: int, code: str
) -> None:
    assert_problem(client.request(method, address), status, code)


def test_a_refused_method_is_told_all_that_are_taken(client: httpx2.Client) -> None:
    assert client.put("/v1/diagnoses").headers["allow"] == "GET, POST"
    assert client.post("/v1/diagnoses/some-id").headers["allow"] == "DELETE, GET"


def test_limits_are_told(client: httpx2.Client) -> None:
    limits = client.get("/v1/limits").json()
    assert limits["upload_bytes"] == LIMIT
    assert (limits["budget_s_default"], limits["budget_s_max"]) == (120, 600)
    assert (limits["wait_s_max"], limits["queue_size"], limits["retention_days"]) == (300, 100, 7)
    assert limits["reading"]["unpacked_bytes"] > LIMIT
    assert (limits["reading"]["layers"], limits["reading"]["zip_members"]) == (MAX_LAYERS, MAX_MEMBERS)


def test_health(client: httpx2.Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    ready = client.get("/readyz")
    told = ready.json()
    assert (ready.status_code, told["status"], told["worker"]) == (200, "ready", True)
    assert told["lanes"] == {"probe": True, "static": True}
    assert [told[part] for part in ("database", "blobs", "queue")] == [True] * 3
    assert told["last_heartbeat_s"] < 15
    assert told["free_bytes"] > 0
    assert "landlock" in told["sandbox"]


def test_every_route_is_described(client: httpx2.Client) -> None:
    paths = client.get("/v1/openapi.json").json()["paths"]
    assert set(paths) == {
        "/v1/diagnoses",
        "/v1/diagnoses/{job_id}",
        "/v1/diagnoses/{job_id}/report",
        "/v1/diagnoses/{job_id}/events",
        "/v1/diagnoses/{job_id}/repaired-model",
        "/v1/diagnoses/{job_id}/deliveries",
        "/v1/session",
        "/metrics",
        "/v1/rules",
        "/v1/rules/{rule_id}",
        "/v1/limits",
        "/v1/schemas/report",
        "/healthz",
        "/readyz",
    }
    form = paths["/v1/diagnoses"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert {"file", "input_range", "probe", "budget_s"} <= set(form["properties"])
    for path in paths.values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                assert response["description"]
                if int(status) >= 400 and operation != paths["/readyz"]["get"]:
                    assert set(response["content"]) == {PROBLEM_JSON}


def test_the_web_process_stays_small_whatever_is_uploaded(client: httpx2.Client, server: Server) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="m.h5"\r\n\r\n' + MAGIC
        for _ in range(500):
            yield bytes(2**20)
        yield b"\r\n--x--\r\n"

    header = {"content-type": "multipart/form-data; boundary=x"}
    response = client.post("/v1/diagnoses", content=chunks(), headers=header)
    assert response.status_code == 202
    assert client.get(response.headers["location"]).json()["size_bytes"] == 500 * 2**20 + len(MAGIC)
    client.delete(response.headers["location"])
    assert server.resident_bytes() < 200 * 2**20
    mapped = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "tensorflow" not in mapped
    assert "h5py" not in mapped


@pytest.mark.parametrize(
    ("stage", "deed", "budget_s", "code"),
    [
        ("reading", "crash", 120, "reading-crash"),
        ("reading", "spin", 120, "reading-timeout"),
        ("reading", "hog", 120, "reading-memory"),
        ("probe", "crash", 120, "probe-crash"),
        ("probe", "spin", 5, "probe-timeout"),
        ("probe", "greedy", 120, "model-too-large"),
        ("probe", "hog", 120, "model-too-large"),
    ],
)
def test_a_child_that_is_lost_to_its_file_is_the_files_problem_and_the_next_job_runs(
    client: httpx2.Client, stage: str, deed: str, budget_s: int, code: str
) -> None:
    lost = send(client, script(**{stage: deed}), wait=WAIT_S, budget_s=str(budget_s))
    assert assert_problem(lost, 422, code)["kind"] == "input"
    assert send(client, script(), wait=WAIT_S).status_code == 200
