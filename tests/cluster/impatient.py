"""`pfs` with a Snakemake that asks every second how its jobs are, where it would wait ten seconds longer each time."""

import asyncio
import sys

from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

from pfs.__main__ import main


async def sleep(_: RemoteExecutor) -> None:
    """Wait between two questions to the cluster."""
    await asyncio.sleep(1)


if __name__ == "__main__":
    RemoteExecutor.sleep = sleep
    sys.exit(main(sys.argv[1:]))
