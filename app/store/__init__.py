"""What the service keeps: tables with their migrations, and model files by their SHA-256."""

from __future__ import annotations

from dataclasses import dataclass

from app.settings import Settings
from app.store.blobs import BlobFolder, Blobs
from app.store.database import Database
from app.store.deliveries import DeliveryStore
from app.store.files import Files
from app.store.jobs import JobStore
from app.store.keys import KeyStore
from app.store.leases import LeaseStore
from app.store.requests import RequestStore
from app.store.workers import WorkerStore

__all__ = ["Store", "open_store"]


@dataclass(frozen=True)
class Store:
    """Everything that is kept, by what it is about."""

    database: Database
    files: Files
    jobs: JobStore
    leases: LeaseStore
    workers: WorkerStore
    keys: KeyStore
    requests: RequestStore
    deliveries: DeliveryStore

    @property
    def blobs(self) -> Blobs:
        """The model files themselves."""
        return self.files.blobs


def open_store(settings: Settings) -> Store:
    """The store that the settings name; its folder is made if it is missing."""
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database(settings.database)
    files = Files(_blobs(settings))
    return Store(
        database=database,
        files=files,
        jobs=JobStore(database, files),
        leases=LeaseStore(database, files),
        workers=WorkerStore(database),
        keys=KeyStore(database),
        requests=RequestStore(database),
        deliveries=DeliveryStore(database),
    )


def _blobs(settings: Settings) -> Blobs:
    if not settings.blob_url:
        return BlobFolder(settings.blob_folder)
    from app.store.buckets import BlobBucket  # noqa: PLC0415 - its client is an optional dependency

    return BlobBucket(settings.blob_url, settings.blob_folder / "incoming")
