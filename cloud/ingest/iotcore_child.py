"""Runs the iotcore broker in this process: `python -m cloud.ingest.iotcore_child CONFIG`."""

from __future__ import annotations

import logging
import sys

from cloud.processes import exit_with_parent


def main(config_path: str) -> None:
    """Serve until the parent ends."""
    from iotcore import IotCoreBroker  # noqa: PLC0415 - an optional extra, needed in this process only

    exit_with_parent()
    # Its routing reports every packet as an error.
    logging.getLogger("rumqttd").setLevel(logging.CRITICAL)
    IotCoreBroker(config_path=config_path).run_forever()


if __name__ == "__main__":
    main(sys.argv[1])
