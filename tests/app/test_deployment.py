"""What is shipped beside the code names only settings, targets and figures that there are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from app.store import Store, tallies
from tests.app.buckets import reached_by

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
OWNED = re.findall(r"/\S+", re.findall(r"install -d -o unstuck .*", DOCKERFILE)[0])
MONITORING = sorted((ROOT / "docs" / "monitoring").iterdir())
KNOWN = {f"UNSTUCK_{name.upper()}" for name in Settings.model_fields} | {
    "UNSTUCK_DB_PASSWORD",
    "UNSTUCK_S3_PASSWORD",
}


def test_images_and_services_are_set_up_with_settings_that_there_are() -> None:
    for text in (DOCKERFILE, (ROOT / "docker-compose.yml").read_text()):
        assert set(re.findall(r"UNSTUCK_[A-Z0-9_]+", text)) <= KNOWN


def test_services_build_stages_that_there_are_and_run_hardened() -> None:
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", DOCKERFILE, re.MULTILINE))
    for name, service in COMPOSE["services"].items():
        if "build" not in service:
            continue
        assert service["build"]["target"] in stages, name
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name
        for volume in service["volumes"]:  # a volume gets the owner of the folder that the image has there
            assert volume.partition(":")[2] in OWNED, name
    assert DOCKERFILE.count("USER 10001") == 3


def test_each_profile_is_a_service_of_its_own_and_one_is_started_by_itself() -> None:
    services = COMPOSE["services"].values()
    profiles = {profile for service in services for profile in service["profiles"]}
    (default,) = re.findall(r"^COMPOSE_PROFILES=(.+)$", (ROOT / ".env").read_text(), re.MULTILINE)
    assert default in profiles
    for profile in profiles:
        members = [service for service in services if profile in service["profiles"]]
        assert sum(len(service.get("ports", [])) for service in members) == 1, profile


def test_images_are_built_with_the_tool_that_makes_the_lock_file() -> None:
    (version,) = re.findall(r"^UV_VERSION := (\S+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert f"uv=={version} " in DOCKERFILE


def test_workers_have_no_way_out() -> None:
    workers = [service for name, service in COMPOSE["services"].items() if name.startswith("worker")]
    assert len(workers) == 2
    for service in workers:
        assert all(COMPOSE["networks"][network]["internal"] for network in service["networks"])


def test_a_service_reaches_every_other_that_its_settings_name() -> None:
    services = COMPOSE["services"]
    for name, service in services.items():
        addresses = [
            urlsplit(value)
            for value in service.get("environment", {}).values()
            if re.match(r"[a-z0-9+]+://", value)
        ]
        for address in addresses:
            if address.scheme == "s3":
                assert services["bucket"]["command"][-1] == f"store/{address.netloc}", name
                continue
            other = services[address.hostname]
            assert set(other["profiles"]) >= set(service["profiles"]), name
            assert set(other["networks"]) & set(service["networks"]), name
        for other in service.get("depends_on", {}):
            assert services[other]["profiles"] == service["profiles"], name


def test_web_server_and_workers_are_told_of_the_bucket_what_its_client_reads() -> None:
    for name in ("web", "worker-a", "worker-b"):
        environment = COMPOSE["services"][name]["environment"]
        assert {each for each in environment if each.startswith("AWS_")} == set(reached_by("")), name
        minio = COMPOSE["services"]["minio"]["environment"]
        assert environment["AWS_ACCESS_KEY_ID"] == minio["MINIO_ROOT_USER"], name
        assert environment["AWS_SECRET_ACCESS_KEY"] == minio["MINIO_ROOT_PASSWORD"], name


@pytest.fixture
def figures(settings: Settings, store: Store) -> Iterator[set[str]]:
    """The names that ``/metrics`` has once something of everything has happened."""
    with store.database.write() as session:
        tallies.add(session, [tallies.Addition(name, "x", 1.0) for name in tallies.FIGURES])
    store.workers.beat("w", lanes=["probe"], ready=True, memory_bytes=1, sandbox={})
    with TestClient(create_app(settings)) as client:
        client.get("/healthz")
        yield set(re.findall(r"^# TYPE (\S+)", client.get("/metrics").text, re.MULTILINE))


@pytest.mark.parametrize("path", MONITORING, ids=lambda path: path.name)
def test_alerts_and_panels_look_at_figures_that_there_are(path: Path, figures: set[str]) -> None:
    named = set(re.findall(r"\b(?:unstuck|process)_[a-z_]+", path.read_text()))
    assert named
    assert named <= figures
