from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import obstore
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from analyzers.options import Options
from analyzers.report import Report
from app.errors import Problem
from app.jobs.states import LeaseLostError
from app.reports.formats import render
from app.settings import Settings
from app.store import Store, open_store, tallies
from app.store.blobs import BlobFolder, Blobs, whole
from app.store.buckets import BlobBucket
from app.store.jobs import Bounds, Cursor, Filters, Submission, Watched
from app.store.leases import BATCH_PATIENCE_S, Lease
from app.store.requests import STALE_S, Idempotency
from app.store.tables import Base, Job
from tests.app.backends import DATABASES, database_url
from tests.app.buckets import bucket_url
from tests.app.clocks import Clocks
from tests.reports import factory

BOUNDS = Bounds(queue_size=10, owner_jobs=10, disk_bytes=None)
REPORT = factory.report()
PROBLEM = Problem("worker-lost")


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with bucket_url() as url:
        yield url


@pytest.fixture(
    params=[*((database, "folder") for database in DATABASES), ("sqlite", "bucket")], ids="-".join
)
def store(settings: Settings, request: pytest.FixtureRequest) -> Iterator[Store]:
    database, files_in = request.param
    blob_url = ""
    if files_in == "bucket":
        blob_url = f"{request.getfixturevalue('bucket')}/{secrets.token_hex(4)}"
    with database_url(database) as url:
        opened = open_store(settings.model_copy(update={"database_url": url, "blob_url": blob_url}))
        opened.database.migrate()
        yield opened
        opened.database.close()


def submit(store: Store, content: bytes = b"model", bounds: Bounds = BOUNDS, **asked: Any) -> Job:
    with store.blobs.incoming() as incoming:
        incoming.write(content)
        submission = Submission("model.h5", asked.pop("options", Options()), **asked)
        return store.jobs.submit(incoming, submission, bounds)


def claim(store: Store, job: Job, lease_s: float = 10) -> Lease:
    claimed = store.leases.claim(job.id, "w", lease_s=lease_s)
    assert claimed is not None
    return claimed[0]


def succeed(store: Store, job: Job, report: Report = REPORT) -> None:
    store.leases.succeed(claim(store, job), report.model_copy(update={"id": job.id}), None)


def take_from_silent(store: Store) -> list[str]:
    """Take every running job away, as if its worker had been silent."""
    return [sign.job_id for sign in store.leases.signs() if store.leases.take_from_silent(sign, attempts=2)]


def files(store: Store) -> list[bytes]:
    """The content of every file that there is, in the order of the hashes; last of those that come in."""
    kept = [b"".join(store.blobs.read(sha256)[1]) for sha256 in sorted(store.blobs.older(-3600))]
    return kept + [path.read_bytes() for path in sorted(store.blobs.receiving.iterdir())]


def overwrite(blobs: Blobs, sha256: str, content: bytes) -> None:
    """Damage a file."""
    path = blobs.local(sha256)
    if path is not None:
        path.write_bytes(content)
    else:
        assert isinstance(blobs, BlobBucket)
        obstore.put(blobs.objects, f"{sha256[:2]}/{sha256}", content)


def test_migrations_make_the_tables_that_the_models_describe(store: Store) -> None:
    with store.database.read() as session:
        context = MigrationContext.configure(session.connection())
        assert compare_metadata(context, Base.metadata) == []


def test_migrating_twice_changes_nothing(store: Store) -> None:
    job = submit(store)
    store.database.migrate()
    assert store.jobs.get(job.id).status == "queued"


def test_the_oldest_waiting_job_comes_first(store: Store) -> None:
    first, second = submit(store), submit(store)
    assert store.leases.next_waiting("probe") == first.id
    claim(store, first)
    assert store.leases.next_waiting("probe") == second.id


def test_a_job_is_claimed_once(store: Store) -> None:
    job = submit(store)
    claim(store, job)
    assert store.leases.claim(job.id, "other", lease_s=10) is None


def test_a_full_queue_takes_no_job_and_keeps_no_file(store: Store) -> None:
    full = replace(BOUNDS, queue_size=1)
    submit(store, b"a", full)
    with pytest.raises(Problem, match="queue-full"):
        submit(store, b"b", full)
    assert files(store) == [b"a"]


def test_finishing_stores_report_and_repaired_model_once(store: Store) -> None:
    job = submit(store)
    lease = claim(store, job)
    with store.blobs.incoming() as repaired:
        repaired.write(b"repaired")
        store.leases.succeed(lease, REPORT, repaired)
    with pytest.raises(LeaseLostError):
        store.leases.fail(lease, PROBLEM)
    ended = store.jobs.get(job.id)
    assert (ended.status, ended.report, ended.lease_token) == ("succeeded", render(REPORT, "json"), None)
    assert sorted(files(store)) == [b"model", b"repaired"]


def test_a_silent_worker_loses_its_job_and_finishes_nothing(store: Store) -> None:
    job = submit(store)
    stale = claim(store, job)
    assert take_from_silent(store) == [job.id]
    with pytest.raises(LeaseLostError):
        store.leases.succeed(stale, REPORT, None)
    with pytest.raises(LeaseLostError):
        store.leases.renew(stale, 10)
    assert store.jobs.get(job.id).status == "queued"


def test_a_worker_that_has_spoken_since_keeps_its_job(store: Store) -> None:
    job = submit(store)
    lease = claim(store, job)
    (sign,) = store.leases.signs()
    time.sleep(0.01)
    store.leases.renew(lease, 10)
    assert not store.leases.take_from_silent(sign, attempts=2)
    assert store.leases.still_held(lease)


def test_a_job_that_loses_its_worker_twice_fails(store: Store) -> None:
    job = submit(store)
    for _ in range(2):
        claim(store, job)
        take_from_silent(store)
    ended = store.jobs.get(job.id)
    assert (ended.status, (ended.error or {}).get("code")) == ("failed", "worker-lost")


def test_a_worker_that_starts_anew_takes_its_own_jobs_back_at_once(store: Store) -> None:
    job = submit(store)
    claim(store, job, lease_s=1000)
    assert store.leases.take_back("another", attempts=2) == []
    assert store.leases.take_back("w", attempts=2) == [job.id]


def test_erasing_a_running_job_takes_its_lease(store: Store) -> None:
    job = submit(store)
    lease = claim(store, job)
    store.leases.add_event(lease, {"stage": "probing"})
    store.jobs.erase(job.id)
    assert not store.leases.still_held(lease)
    assert store.jobs.watch({job.id}) == {}
    with pytest.raises(LeaseLostError):
        store.leases.succeed(lease, REPORT, None)
    assert files(store) == []
    with pytest.raises(Problem, match="diagnosis-not-found"):
        store.jobs.erase(job.id)


def test_erasing_one_job_leaves_a_file_that_another_uses(store: Store) -> None:
    one, other = submit(store, b"same"), submit(store, b"same")
    store.jobs.erase(one.id)
    assert files(store) == [b"same"]
    store.jobs.erase(other.id)
    assert files(store) == []


def test_events_are_numbered_and_told_from_any_point(store: Store) -> None:
    job = submit(store)
    lease = claim(store, job)
    for step in range(3):
        store.leases.add_event(lease, {"step": step})
    other = submit(store)
    assert store.jobs.watch({job.id, other.id, "gone"}) == {
        job.id: Watched("running", 3),
        other.id: Watched("queued", 0),
    }
    assert [event.data["step"] for event in store.jobs.events(job.id, after=1)] == [1, 2]


def test_old_jobs_expire_when_they_have_ended(store: Store) -> None:
    ended, waiting = submit(store, b"a"), submit(store, b"b")
    succeed(store, ended)
    assert store.jobs.expire(older_than_s=3600) == 0
    time.sleep(0.02)
    assert store.jobs.expire(older_than_s=0.01) == 1
    assert store.jobs.get(waiting.id).status == "queued"
    assert files(store) == [b"b"]


def test_an_upload_that_is_not_kept_leaves_nothing(store: Store) -> None:
    with store.blobs.incoming() as incoming:
        incoming.write(b"half")
        assert files(store) == [b"half"]
    assert files(store) == []


def test_what_a_child_wrote_is_taken_only_if_it_is_a_plain_small_file(
    store: Store, settings: Settings
) -> None:
    source = settings.data / "written"
    source.write_bytes(b"x" * 100)
    with store.blobs.copied(source, limit=100) as incoming:
        assert incoming.size_bytes == 100
    with pytest.raises(ValueError, match="too large"), store.blobs.copied(source, limit=99):
        pass
    link = settings.data / "link"
    link.symlink_to(source)
    with pytest.raises(OSError, match="symbolic"), store.blobs.copied(link, limit=1000):
        pass
    with pytest.raises((ValueError, OSError)), store.blobs.copied(settings.data, limit=1000):
        pass


def test_the_same_file_sent_and_erased_at_once_by_many_is_never_missing(store: Store) -> None:
    def send_and_erase(_: int) -> bool:
        job = submit(store, b"same", replace(BOUNDS, queue_size=1000))
        there = store.blobs.intact(job.sha256)
        store.jobs.erase(job.id)
        return there

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(send_and_erase, range(30)))
    assert files(store) == []


def test_of_many_workers_one_gets_a_job(store: Store) -> None:
    jobs = [submit(store, bytes([number])) for number in range(5)]

    def claim_all(worker: int) -> list[str]:
        return [job.id for job in jobs if store.leases.claim(job.id, str(worker), lease_s=9) is not None]

    with ThreadPoolExecutor(4) as pool:
        claimed = [job_id for ids in pool.map(claim_all, range(4)) for job_id in ids]
    assert sorted(claimed) == sorted(job.id for job in jobs)


def test_a_lane_does_not_wait_for_the_other(store: Store) -> None:
    submit(store, b"a")
    static = submit(store, b"b", options=Options(probe="off"))
    assert store.leases.next_waiting("static") == static.id
    assert {(job.job_id, job.lane) for job in store.leases.waiting()} >= {(static.id, "static")}


def test_whoever_waits_comes_before_batches(store: Store) -> None:
    submit(store, b"a")
    waited_for = submit(store, b"b", interactive=True)
    assert store.leases.next_waiting("probe") == waited_for.id


def test_a_batch_that_has_waited_long_is_not_kept_waiting_by_whoever_waits(
    store: Store, clocks: Clocks
) -> None:
    batch = submit(store, b"batch")
    for number in range(3):
        clocks.go(BATCH_PATIENCE_S / 3 - 1)
        waited_for = submit(store, bytes([number]), interactive=True)
        assert store.leases.next_waiting("probe") == waited_for.id
        succeed(store, waited_for)
    waited_for = submit(store, b"another", interactive=True)
    clocks.go(3)
    assert store.leases.next_waiting("probe") == batch.id
    succeed(store, batch)
    assert store.leases.next_waiting("probe") == waited_for.id


def test_keys_take_turns_however_many_jobs_they_send(store: Store) -> None:
    many = [submit(store, bytes([number]), owner="many") for number in range(3)]
    few = submit(store, b"few", owner="few")
    order = []
    for _ in range(4):
        job_id = store.leases.next_waiting("probe")
        assert job_id is not None
        succeed(store, store.jobs.get(job_id))
        order.append(job_id)
        time.sleep(0.01)
    assert order == [many[0].id, few.id, many[1].id, many[2].id]


def test_the_same_question_is_answered_from_the_stored_report(store: Store) -> None:
    first = submit(store, b"same", owner="k")
    with store.blobs.incoming() as repaired:
        repaired.write(b"repaired")
        lease = claim(store, first)
        linked = REPORT.model_copy(update={"id": first.id})
        store.leases.succeed(lease, linked, repaired)
    second = store.jobs.get(submit(store, b"same", replace(BOUNDS, queue_size=0), owner="k").id)
    assert second.status == "succeeded"
    assert second.repaired_sha256 == store.jobs.get(first.id).repaired_sha256
    report = json.loads(second.report or "")
    assert report["id"] == second.id
    assert report["fix"]["repaired_model"] in (None, f"/v1/diagnoses/{second.id}/repaired-model")
    store.jobs.erase(first.id)
    assert b"repaired" in files(store)
    assert store.jobs.get(second.id).report is not None


@pytest.mark.parametrize(
    "asked",
    [
        {"owner": "other"},
        {"options": Options(seed=1)},
        {"reuse": False},
    ],
)
def test_another_question_is_not(store: Store, asked: dict[str, Any]) -> None:
    succeed(store, submit(store, b"same"))
    assert submit(store, b"same", **asked).status == "queued"


def test_an_incomplete_report_answers_nothing_else(store: Store) -> None:
    succeed(store, submit(store, b"same"), REPORT.model_copy(update={"incomplete": True}))
    assert submit(store, b"same").status == "queued"


def test_a_key_has_a_quota_and_others_have_theirs(store: Store) -> None:
    tight = replace(BOUNDS, owner_jobs=1)
    submit(store, b"a", tight, owner="k")
    with pytest.raises(Problem, match="quota-exceeded"):
        submit(store, b"b", tight, owner="k")
    submit(store, b"b", tight, owner="other")


def test_files_over_the_disk_quota_are_not_kept(store: Store) -> None:
    bounds = replace(BOUNDS, disk_bytes=7)
    job = submit(store, b"12345", bounds)
    with pytest.raises(Problem, match="storage-full"):
        submit(store, b"678", bounds)
    with pytest.raises(Problem, match="storage-full"):
        store.jobs.reserve(bounds, 3)
    store.jobs.erase(job.id)
    assert submit(store, b"678", bounds).status == "queued"
    assert files(store) == [b"678"]


def test_uploads_that_come_in_at_once_share_the_disk_quota(store: Store) -> None:
    bounds = replace(BOUNDS, disk_bytes=10)
    submit(store, b"1", bounds)
    with store.jobs.reserve(bounds, 5):
        with pytest.raises(Problem, match="storage-full"):
            store.jobs.reserve(bounds, 5)
        with store.jobs.reserve(bounds, 0) as unsaid:
            unsaid.cover(3)
            unsaid.cover(2)
            with pytest.raises(Problem, match="storage-full"):
                store.jobs.reserve(bounds, 2)
            unsaid.cover(4)
            with pytest.raises(Problem, match="storage-full"):
                unsaid.cover(5)
            with store.jobs.reserve(bounds, 4):
                """What could not be covered has given its room back."""
    with store.jobs.reserve(bounds, 9):
        """So has what is done with."""
    with store.jobs.reserve(BOUNDS, 2**50):
        """There is no bound."""


def test_what_belongs_to_somebody_else_is_not_there(store: Store) -> None:
    job = submit(store, owner="k")
    assert store.jobs.get(job.id, "k").id == job.id
    for look in (store.jobs.get, store.jobs.erase):
        with pytest.raises(Problem, match="diagnosis-not-found"):
            look(job.id, "other")
    assert [found.id for found in store.jobs.newest(Filters("other"), 10)] == []


def test_a_list_is_walked_page_by_page_and_filtered(store: Store) -> None:
    jobs = [submit(store, bytes([number])) for number in range(5)]
    newest = [job.id for job in reversed(jobs)]
    seen: list[str] = []
    cursor = None
    while page := store.jobs.newest(Filters(""), 2, cursor):
        seen += [job.id for job in page]
        cursor = Cursor(page[-1].created_at, page[-1].id)
    assert seen == newest
    claim(store, jobs[2])
    assert [job.id for job in store.jobs.newest(Filters("", status="running"), 9)] == [jobs[2].id]
    assert [job.id for job in store.jobs.newest(Filters("", sha256=jobs[0].sha256), 9)] == [jobs[0].id]
    assert store.jobs.newest(Filters("", file_name="none"), 9) == []


def test_a_request_is_begun_once_and_remembers_its_job(store: Store) -> None:
    assert store.requests.begin("k", "one") is None
    with pytest.raises(Problem, match="idempotency-in-progress"):
        store.requests.begin("k", "one")
    assert store.requests.begin("other", "one") is None
    job = submit(store, owner="k", idempotency=Idempotency("one", "print"))
    earlier = store.requests.begin("k", "one")
    assert earlier is not None
    assert (earlier.job_id, earlier.fingerprint) == (job.id, "print")
    store.requests.undo("k", "one")  # only what became no job is forgotten
    assert store.requests.begin("k", "one") is not None
    store.requests.undo("other", "one")
    assert store.requests.begin("other", "one") is None


def test_a_request_that_gives_no_sign_of_life_is_taken_for_cut_off(store: Store, clocks: Clocks) -> None:
    assert store.requests.begin("k", "one") is None
    for _ in range(3):
        clocks.go(STALE_S - 1)
        with pytest.raises(Problem, match="idempotency-in-progress"):
            store.requests.begin("k", "one")
        store.requests.renew("k", "one")
    clocks.go(STALE_S)
    assert store.requests.begin("k", "one") is None, "its process was killed"
    asked = Idempotency("one", "print")
    job = submit(store, owner="k", idempotency=asked)
    with pytest.raises(Problem, match="idempotency-in-progress"):
        submit(store, owner="k", idempotency=asked)  # it was not: it only came late
    earlier = store.requests.begin("k", "one")
    assert earlier is not None
    assert [job.id for job in store.jobs.newest(Filters("k"), 9)] == [job.id] == [earlier.job_id]


def test_of_many_requests_with_one_key_one_goes_on(store: Store) -> None:
    def begin(_: int) -> bool:
        try:
            return store.requests.begin("k", "same") is None
        except Problem:
            return False

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(begin, range(12))) == 1


def test_keys_are_kept_as_hashes_and_end_when_told(store: Store) -> None:
    assert not store.keys.exist()
    key_id, key = store.keys.create("ci", ["read", "write"])
    verified = store.keys.verify(key)
    assert verified is not None
    assert (verified.id, verified.scopes) == (key_id, ["read", "write"])
    assert key.rpartition("_")[2] not in str([vars(row) for row in store.keys.every()])
    for wrong in (key[:-1], key + "0", f"usk_{key_id}_", "", "usk", key.replace("usk", "xyz")):
        assert store.keys.verify(wrong) is None
    _, expired = store.keys.create("old", ["read"], expires_at=time.time() - 1)
    assert store.keys.verify(expired) is None
    assert store.keys.revoke(key_id)
    assert store.keys.verify(key) is None
    assert not store.keys.revoke("none")
    assert store.keys.exist()


def test_ends_are_counted_once(store: Store) -> None:
    static = REPORT.timings.model_copy(update={"probe_s": 0.0})
    succeed(store, submit(store, b"a"), REPORT.model_copy(update={"timings": static}))
    store.leases.fail(claim(store, submit(store, b"b")), PROBLEM)
    claim(store, submit(store, b"c"))
    take_from_silent(store)
    counted = {(tally.name, tally.label): tally.count for tally in tallies.read(store.database)}
    assert counted["jobs_ended", "succeeded"] == counted["jobs_ended", "worker-lost"] == 1
    assert counted["verdicts", REPORT.verdict] == counted["workers_lost", "any"] == 1
    assert counted["findings", REPORT.findings[0].rule] == 1
    assert counted["stage_seconds", "reading"] == 1
    assert ("stage_seconds", "probe") not in counted


def test_many_transactions_count_at_once(store: Store) -> None:
    def count(number: int) -> None:
        with store.database.write() as session:
            tallies.add(session, tallies.of_end(f"code-{number % 2}", 1.5))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(count, range(20)))
    assert [(tally.count, tally.total) for tally in tallies.read(store.database)] == [(10, 15.0)] * 2


def test_a_message_is_tried_again_later_and_given_up_in_the_end(store: Store) -> None:
    succeed(store, submit(store, callback_url="https://example.com/hook"))
    due = store.deliveries.claim(())
    assert due is not None
    assert (due.url, due.job.status) == ("https://example.com/hook", "succeeded")
    assert store.deliveries.claim(()) is None  # it is being sent
    other = submit(store, b"other", callback_url="https://Example.COM:8443/other")
    succeed(store, other)
    assert store.deliveries.claim(["example.com"]) is None  # another to the same host
    store.jobs.erase(other.id)
    for _ in range(8):
        store.deliveries.settle(due.id, "status 500", delivered=False)
    (given_up,) = store.deliveries.of_job(due.job.id)
    assert (given_up.status, given_up.attempts, given_up.answer) == ("given-up", 8, "status 500")
    succeed(store, submit(store, b"silent"))
    assert store.deliveries.claim(()) is None
    answered = submit(store, callback_url="https://example.com/hook")  # from the stored report
    again = store.deliveries.claim(())
    assert again is not None
    assert again.job.id == answered.id
    store.deliveries.settle(again.id, "status 204", delivered=True)
    assert [message.status for message in store.deliveries.of_job(answered.id)] == ["delivered"]


def test_a_file_that_no_row_knows_is_swept_when_it_is_old(store: Store) -> None:
    submit(store, b"known")
    with store.blobs.incoming() as orphan:
        orphan.write(b"orphan")
        store.blobs.keep(orphan)
    store.files.sweep(store.database, older_than_s=60)
    assert len(files(store)) == 2
    store.files.sweep(store.database, older_than_s=-1)
    assert files(store) == [b"known"]


def test_a_damaged_file_is_noticed(store: Store) -> None:
    job = submit(store)
    assert store.blobs.intact(job.sha256)
    overwrite(store.blobs, job.sha256, b"rotten")
    assert not store.blobs.intact(job.sha256)
    assert not store.blobs.intact("0" * 64)


def test_what_has_another_hash_is_never_handed_on_as_whole() -> None:
    sha256 = hashlib.sha256(b"abc").hexdigest()
    assert b"".join(whole(iter([b"a", b"b", b"c"]), sha256)) == b"abc"
    assert b"".join(whole(iter([]), hashlib.sha256().hexdigest())) == b""
    handed: list[bytes] = []
    with pytest.raises(FileNotFoundError):
        handed += whole(iter([b"a", b"b", b"d"]), sha256)
    assert b"d" not in handed


@pytest.mark.parametrize("staged_first", [True, False])
def test_a_file_that_is_there_stays_where_it_is_and_a_damaged_one_is_replaced(
    tmp_path: Path, staged_first: bool
) -> None:
    """A child is let near one inode of a file: another one of the same name would be closed to it."""
    blobs = BlobFolder(tmp_path)

    def kept() -> tuple[int, bytes]:
        with blobs.incoming() as incoming:
            incoming.write(b"same")
            if staged_first:
                blobs.stage(incoming)
            blobs.keep(incoming)
        path = blobs.path(incoming.sha256)
        return path.stat().st_ino, path.read_bytes()

    first = kept()
    os.utime(blobs.path(hashlib.sha256(b"same").hexdigest()), (0, 0))
    assert list(blobs.older(3600))
    assert kept() == first
    assert not list(blobs.older(3600))
    overwrite(blobs, hashlib.sha256(b"same").hexdigest(), b"rotten")
    assert kept()[1] == b"same"
    assert not list(blobs.receiving.iterdir())


def test_a_file_is_lent_whole_or_not_at_all(store: Store, tmp_path: Path) -> None:
    job = submit(store, b"model")
    looks = []
    with store.blobs.lent(job.sha256, tmp_path, lambda: looks.append(1)) as path:
        assert path.read_bytes() == b"model"
    assert looks
    assert store.blobs.intact(job.sha256)
    assert [entry for entry in tmp_path.iterdir() if entry.is_file()] == []
    overwrite(store.blobs, job.sha256, b"rotten")
    with pytest.raises(FileNotFoundError), store.blobs.lent(job.sha256, tmp_path, lambda: None):
        pass
    store.jobs.erase(job.id)
    with pytest.raises(FileNotFoundError), store.blobs.lent(job.sha256, tmp_path, lambda: None):
        pass
    with pytest.raises(FileNotFoundError):
        store.blobs.read(job.sha256)
    assert store.blobs.reachable()
    assert store.blobs.free_bytes > 0
