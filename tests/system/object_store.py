"""What speaks S3, on this machine: moto's server, with one bucket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

BUCKET = "owls"


class Bucket:
    """A bucket, and the variables by which others reach it; it keeps what it has while it is stopped."""

    def __init__(self) -> None:
        """Run what speaks S3; the environment is not changed."""
        self._server = _server(0)
        self._server.start()
        host, self._port = self._server.get_host_and_port()
        self.environment = {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT": f"http://{host}:{self._port}",
            "AWS_ALLOW_HTTP": "true",
        }
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=self.environment["AWS_ENDPOINT"],
            region_name="us-east-1",
            aws_access_key_id="key",
            aws_secret_access_key="secret",
        )
        self._client.create_bucket(Bucket=BUCKET)

    def start(self) -> None:
        """Listen again, where it was."""
        self._server = _server(self._port)
        self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def stored(self) -> list[str]:
        return [one["Key"] for one in self._client.list_objects_v2(Bucket=BUCKET).get("Contents", ())]


def _server(port: int) -> ThreadedMotoServer:
    return ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)


@contextmanager
def object_store() -> Iterator[Bucket]:
    """Have one while the block runs."""
    bucket = Bucket()
    try:
        yield bucket
    finally:
        bucket.stop()
