"""What `srun` starts on each other node of a run: the processes of that node, of which the first host is told."""

import sys
from pathlib import Path

from pfs.config.files import atomic_write
from pfs.training.devices.group import DeviceError, Group, packed
from pfs.training.devices.host import word_of
from pfs.training.devices.launch import run_host


def main(folder: str, hosts: str, devices: str, threads: str, host: str) -> int:
    """Run the processes of this host; returns the exit status, and leaves word of a failure in the group's folder."""
    group = Group(Path(folder), int(hosts), int(devices), int(threads))

    def check_first_host() -> None:
        if not group.folder.is_dir():
            raise DeviceError("the first host has ended, for the place where the processes met is gone")

    if not group.folder.is_dir():
        print(
            f"this node does not see {folder}: results must lie on a file system that all nodes share", file=sys.stderr
        )
        return 1
    try:
        run_host(group, int(host), meanwhile=check_first_host)
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        if group.folder.is_dir():
            atomic_write(word_of(group, int(host)), packed(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
