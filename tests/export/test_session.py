"""ONNX Runtime computes with as many threads as are asked for, and says in one line what is wrong with a file."""

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from pfs.export.folder import ONNX, ExportError
from pfs.export.session import Session, has_onnxruntime


def test_the_number_of_threads_changes_no_class(exported: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 40, 30, 3), dtype=np.uint8)
    one, two = (Session(exported / ONNX, threads)(images) for threads in (1, 2))
    assert one.shape == (2, 3, 40, 30)
    assert one.dtype == np.float32
    np.testing.assert_allclose(one, two, atol=1e-5)


def test_what_is_no_onnx_file_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / ONNX).write_text("nothing")
    with pytest.raises(ExportError, match=r"model\.onnx: ONNX Runtime cannot read it") as raised:
        Session(tmp_path / ONNX)
    assert "\n" not in str(raised.value)


def test_an_onnx_file_of_other_inputs_is_told(tmp_path: Path) -> None:
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "other", value[:1], value[1:])
    opset = [helper.make_opsetid("", 20)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), str(tmp_path / ONNX))
    with pytest.raises(ExportError, match="not images in uint8"):
        Session(tmp_path / ONNX)


def test_what_cannot_pass_is_told_with_its_size(exported: Path) -> None:
    with pytest.raises(ExportError, match="images of 0 x 5 pixels cannot pass"):
        Session(exported / ONNX)(np.zeros((1, 0, 5, 3), np.uint8))


def test_without_onnx_runtime_the_extra_is_named(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert not has_onnxruntime()
    with pytest.raises(ExportError, match="pip install onnxruntime"):
        Session(exported / ONNX)
