"""The locks by which one process at a time works on a study, and on each of its runs. No torch here.

They are `flock` on an open file. The system gives such a lock up when the process that holds it ends, however it ends.
They also hold between the nodes of a cluster: Linux turns flock on NFS into a lock of the server, which gives it up
when a lost node's lease expires (after about 90 seconds on NFS 4), and Lustre does the same where it is mounted with
`-o flock`. A file that merely exists would hold there too, but stays behind when its node is lost.
"""

import fcntl
import os
from errno import ENOLCK, ENOSYS, EOPNOTSUPP
from pathlib import Path

from filelock import FileLock

from pfs.config.base import StudyError

NO_LOCKS = (ENOSYS, EOPNOTSUPP, ENOLCK)  # what a file system without such locks answers
LOCK = ".lock"  # the file's name, in the folder of a study or of a run


def folder_lock(folder: Path) -> FileLock:
    """A lock on a folder that exists; it is taken by `acquire` or `with`.

    Raises:
        StudyError: the folder's file system has no such locks.
    """
    file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:  # another process holds it
        pass
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        raise StudyError(
            f"{folder}: its file system has no locks (flock): mount it with them (Lustre: -o flock), or name results "
            "on another one with --results"
        ) from None
    finally:
        os.close(file)
    return FileLock(folder / LOCK)
