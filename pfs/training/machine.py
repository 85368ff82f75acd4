"""The hardware of a run: its threads, whether bf16 can be used, and what decides the last bits of its numbers.

Some virtual machines claim AMX instructions, and crash when they are used.
"""

import ctypes
import os
import platform
import resource
import sys

import torch
from torch import nn

MAX_ISA = "ONEDNN_MAX_CPU_ISA"  # the instructions that oneDNN, which multiplies for torch, may use


def prepare(threads: int) -> None:
    """Set the threads that this process computes with, let it keep its memory, and keep it from AMX that would end it.

    Some virtual machines announce AMX without the CPUID leaf that says how its tiles are laid out; oneDNN's first
    bf16 product is then an illegal instruction. So a child tries one. To be called before anything is computed.
    """
    torch.set_num_threads(threads)
    _keep_freed_memory()
    tried = MAX_ISA in os.environ  # by the user, or by the process that started this one
    if torch.cpu.get_capabilities().get("amx_bf16") and sys.platform == "linux" and not tried and not _amx_works():
        os.environ[MAX_ISA] = "AVX512_CORE_FP16"  # the next best


def mixed_precision() -> str:
    """Accelerate's word for what is fast here: "bf16" where the hardware multiplies it faster, else "no".

    An Intel core that may not use its AMX multiplies bf16 slower than fp32, and so does any core whose oneDNN is kept
    from the instructions for it: every limit on oneDNN counts as one.
    """
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "no"
    if torch.backends.mps.is_available():
        return "no"
    capabilities = torch.cpu.get_capabilities()
    multiplies = capabilities.get("amx_bf16") or capabilities.get("avx512_bf16")
    return "bf16" if multiplies and MAX_ISA not in os.environ else "no"


def instruction_set() -> str:
    """What decides a CPU's last bits besides packages and threads: such as "AVX512 avx512_bf16"."""
    flags = [flag for flag in ("avx512_bf16", "amx_bf16") if torch.cpu.get_capabilities().get(flag)]
    forced = [f"{name}={os.environ[name]}" for name in (MAX_ISA, "ATEN_CPU_CAPABILITY") if name in os.environ]
    return " ".join([torch.backends.cpu.get_cpu_capability(), *flags, *forced])


def autocast(network: nn.Module) -> torch.autocast:
    """The context in which a network outside of the training loop answers in the precision that it has inside."""
    device = next(network.parameters()).device.type
    return torch.autocast(device, torch.bfloat16, enabled=mixed_precision() == "bf16")


def peak_memory_mib(devices: int) -> float:
    """The largest resident size of the process that trained; the system reports it in KiB, macOS in bytes.

    Where several devices trained, each with a process of its own, it is that of the largest one, not their sum.
    """
    unit = 1 if sys.platform == "darwin" else 1024
    trained = resource.RUSAGE_SELF if devices == 1 else resource.RUSAGE_CHILDREN
    return resource.getrusage(trained).ru_maxrss * unit / 2**20


def _keep_freed_memory() -> None:
    """Have glibc hand freed memory out again instead of giving it back to the system.

    Each step frees what the next one needs. Asked for anew, every page of it costs a fault: a third of the time of PFS
    at 512 x 512 pixels.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)  # the parameters are M_MMAP_MAX and M_TRIM_THRESHOLD of its malloc.h
        libc.mallopt(-4, 0)
        libc.mallopt(-1, -1)


def _amx_works() -> bool:
    """Whether a forked child survives a small bf16 product."""
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)  # the parent's pool of threads is not in the child
        matrix = torch.ones(64, 64, dtype=torch.bfloat16)
        torch.mm(matrix, matrix)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0
