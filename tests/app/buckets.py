"""A bucket of an S3-compatible server (moto's) on this machine, for tests."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import boto3
import pytest
from moto.server import ThreadedMotoServer


def reached_by(address: str) -> dict[str, str]:
    """The variables by which a client reaches the server at an address."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }


@contextmanager
def bucket_url() -> Iterator[str]:
    """The URL of an empty bucket; how to reach it is in the environment for the length of the block."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    try:
        address = "http://{}:{}".format(*server.get_host_and_port())
        with pytest.MonkeyPatch.context() as environment:
            for variable, value in reached_by(address).items():
                environment.setenv(variable, value)
            name = f"test-{secrets.token_hex(4)}"  # what a server kept outlives it within one process
            boto3.client("s3", endpoint_url=address, region_name="us-east-1").create_bucket(Bucket=name)
            yield f"s3://{name}"
    finally:
        server.stop()
