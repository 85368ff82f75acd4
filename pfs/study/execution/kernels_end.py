"""How a notebook's kernel ended: its exit status, and what to try when it died of a signal."""

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager

KERNEL_DIED = "the kernel died"  # how what is said of such an end begins
# What is said where processes of a run have ended, but not its kernel: that may well succeed at the next attempt.
GO_ON = "the last saved state stays: start the run again to go on from it"
TRY_LESS_MEMORY = "was there memory enough? Try fewer cores at once, a smaller batch_size, or cache_gib: 0"
TRY_PLAIN_CPU = "try it with ONEDNN_MAX_CPU_ISA=AVX2 in the environment, or with fewer threads"
ADVICE = {
    signal.SIGKILL: TRY_LESS_MEMORY,
    signal.SIGSEGV: TRY_PLAIN_CPU,
    signal.SIGABRT: TRY_PLAIN_CPU,
    signal.SIGILL: TRY_PLAIN_CPU,
    signal.SIGBUS: "is there shared memory (/dev/shm) and disk space enough?",
}


def watched_manager(ends: list[int]) -> "type[AsyncKernelManager]":
    """A class of kernel managers that adds a kernel's exit status to `ends` when it finds that the kernel has ended.

    A status below zero is that of a process which died of a signal, with the signal's number.
    """
    from jupyter_client.manager import AsyncKernelManager  # it takes time to import, which `pfs look` spares

    class WatchedKernelManager(AsyncKernelManager):
        async def _async_is_alive(self) -> bool:
            status = await self.provisioner.poll() if self.provisioner is not None else None
            if status is not None:
                ends.append(status)
            return await super()._async_is_alive()

        is_alive = _async_is_alive

    return WatchedKernelManager


def tell_end(ends: list[int]) -> str:
    """What is said of a kernel that died; `ends` has its exit status, if that is known."""
    if not ends or ends[0] >= 0:
        status = f" with status {ends[0]}" if ends else ""
        return f"{KERNEL_DIED}{status}; {TRY_LESS_MEMORY}"
    died_of = signal.Signals(-ends[0])
    return f"{KERNEL_DIED} of signal {died_of.name}; {ADVICE.get(died_of, 'somebody or something ended it')}"
