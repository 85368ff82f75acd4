"""ONNX Runtime: one network, some threads. No torch here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pfs.export.folder import ExportError

Pixels = NDArray[np.uint8]
Logits = NDArray[np.float32]
Engine = Callable[[Pixels], Logits]  # images (B, H, W, 3), red, green and blue, to logits (B, classes, H, W)


class Session:
    """An ONNX file of an exported network, ready to run on this processor.

    Args:
        file: the ONNX file.
        threads: to compute with; 0: as many as there are cores.

    Raises:
        ExportError: ONNX Runtime is not installed, or cannot read the file.
    """

    def __init__(self, file: Path, threads: int = 0) -> None:
        onnxruntime = _onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what goes wrong is raised
        try:
            self._session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own types, which share no base
            raise ExportError(f"{file}: ONNX Runtime cannot read it ({first_line(error)}): export again") from None
        inputs = [(value.name, value.type) for value in self._session.get_inputs()]
        if inputs != [("images", "tensor(uint8)")]:
            raise ExportError(f"{file}: takes {inputs}, not images in uint8: name a file that `pfs export` wrote")

    def __call__(self, images: Pixels) -> Logits:
        """Images (B, H, W, 3), red, green and blue, to logits (B, classes, H, W).

        Raises:
            ExportError: the network cannot be run on images of this size.
        """
        try:
            logits: Logits = self._session.run(["logits"], {"images": images})[0]
        except Exception as error:
            size = f"{images.shape[1]} x {images.shape[2]}"
            raise ExportError(f"images of {size} pixels cannot pass the network ({first_line(error)})") from None
        return logits


def has_onnxruntime() -> bool:
    """Whether ONNX Runtime is installed."""
    try:
        _onnxruntime()
    except ExportError:
        return False
    return True


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise ExportError("onnxruntime is not installed: .venv/bin/pip install onnxruntime") from None
    return onnxruntime


def first_line(error: Exception) -> str:
    """What an error of another library says, for a place in a line of ours."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
