"""What `srun` starts on each other node of a run: the processes of that node, of which the first host is told."""

import sys
from pathlib import Path

from pfs.config.files import atomic_write
from pfs.training.devices.group import Group, packed
from pfs.training.devices.host import word_of
from pfs.training.devices.launch import run_host


def main(folder: str, hosts: str, devices: str, threads: str, host: str) -> int:
    """Run the processes of this host; returns the exit status, and leaves word of a failure in the group's folder."""
    group = Group(Path(folder), int(hosts), int(devices), int(threads))
    try:
        run_host(group, int(host))
    except Exception as error:
        if group.folder.is_dir():  # else the first host has ended before
            atomic_write(word_of(group, int(host)), packed(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
