"""The loop: it learns, it stops at NaN, and a run that was cut goes on bit for bit."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import PartialState
from torch import nn

from pfs.config.methods import Method
from pfs.config.study import Training
from pfs.data.splits import ImageSplit
from pfs.losses import Prediction
from pfs.losses.pfs import squared_norm
from pfs.models.dilated_resnet import DilatedResNet
from pfs.study.execution.progress.stage import read_progress
from pfs.study.execution.stopping import STOP_FILE, RunStoppedError
from pfs.training import loop
from pfs.training.loop import Progress, TrainingError, build_optimizer, train
from pfs.training.objective import Objective
from pfs.training.teacher import CacheError, OnlineTeacher, TeacherOutputs, cache_teacher, open_teacher_outputs

pytestmark = pytest.mark.trains

PFS_WSP = {"pfs": {"weight": 4.0}, "wsp": {"weight": 1.0}}
WITH_HINT = {"fitnet": {"weight": 1.0}}
FIELDS: dict[str, Any] = {"optimizer": {"name": "sgd"}, "schedule": {"name": "poly"}}  # what the field trains with


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def scenes() -> ImageSplit:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (12, 3, 16, 16), generator=generator, dtype=torch.uint8)
    labels = (images[:, 0] > 127).to(torch.uint8)
    logits, features = (torch.randn(12, c, 4, 4, generator=generator).bfloat16() for c in (2, 6))
    teacher = TeacherOutputs(logits, features, squared_norm(features.float()))
    return ImageSplit(images, labels, teacher)


def schedule(steps: int, **changes: object) -> Training:
    return Training.model_validate(
        {
            "network": {"name": "dilated_resnet", "width": 4},
            "steps": steps,
            "batch_size": 4,
            "save_every": 4,
            "learning_rate": 0.01,
            **changes,
        }
    )


def run(
    folder: Path, *, steps: int = 12, key: str = "key", method: object = PFS_WSP, **changes: object
) -> tuple[nn.Module, Progress]:
    torch.manual_seed(0)
    network = DilatedResNet(4, 2)
    objective = Objective(Method.model_validate(method), ignore_index=255, channels=(16, 6))
    return network, train(network, objective, scenes(), schedule(steps, **changes), seed=0, folder=folder, key=key)


def weights(network: nn.Module) -> torch.Tensor:
    return torch.cat([tensor.double().flatten() for tensor in network.state_dict().values()])


def test_training_lowers_the_loss_and_writes_its_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "LOG_EVERY", 5)
    network, progress = run(tmp_path, steps=42)
    assert [entry["step"] for entry in progress.history] == [5, 10, 15, 20, 25, 30, 35, 40, 42]
    assert set(progress.history[0]) == {"step", "learning_rate", "total", "ce", "pfs", "wsp"}
    assert progress.history[-1]["total"] < 0.8 * progress.history[0]["total"]
    assert not network.training
    told = read_progress(tmp_path)
    assert told is not None
    assert (told.stage, told.done, told.total, told.resumed_at) == ("training", 42, 42, 0)
    assert told.loss == pytest.approx(progress.history[-1]["total"])


def test_two_runs_are_equal_bit_for_bit(tmp_path: Path) -> None:
    first, again = (run(tmp_path / name)[0] for name in ("first", "again"))
    assert torch.equal(weights(first), weights(again))


@pytest.mark.parametrize(("method", "changes"), [(PFS_WSP, {}), (WITH_HINT, {}), (PFS_WSP, FIELDS)])
def test_a_run_that_was_cut_goes_on_bit_for_bit(
    method: object, changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LOG_EVERY", 2)
    whole, expected = run(tmp_path / "whole", method=method, **changes)

    class Cut(BaseException):
        pass

    calls = 0
    original = Objective.__call__

    def cut_at_step_seven(self: Objective, *arguments: object) -> Any:
        nonlocal calls
        calls += 1
        if calls == 7:
            raise Cut
        return original(self, *arguments)

    monkeypatch.setattr(Objective, "__call__", cut_at_step_seven)
    with pytest.raises(Cut):
        run(tmp_path / "cut", method=method, **changes)
    calls = 100
    resumed, progress = run(tmp_path / "cut", method=method, **changes)
    assert calls == 100 + 8  # steps 5 to 12: the state of step 4 was the last on disk
    assert torch.equal(weights(whole), weights(resumed))
    assert progress.history == expected.history


def test_the_weight_of_a_term_decays_with_the_steps_also_of_a_run_that_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    method = {"pfs": {"weight": 4.0, "decay": "linear"}}
    _, progress = run(tmp_path, method=method)
    for step, entry in enumerate(progress.history):
        weight = 4.0 * (1 - step / 12)
        assert entry["total"] == pytest.approx(entry["ce"] + weight * entry["pfs"], rel=1e-5)
    (tmp_path / "state" / "key-00000012" / "model.safetensors").unlink()
    _, again = run(tmp_path, method=method)
    assert again.history == progress.history


def snapshots_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (folder / "snapshots").glob("*.pt")}


def test_snapshots_change_no_number_and_the_last_one_is_the_trained_network(tmp_path: Path) -> None:
    plain, _ = run(tmp_path / "plain")
    with_snapshots, _ = run(tmp_path / "kept", snapshots=[0, 3], val_every=5)
    assert torch.equal(weights(plain), weights(with_snapshots))
    assert sorted(snapshots_of(tmp_path / "kept")) == [f"step-{step:06d}.pt" for step in (0, 3, 5, 10, 12)]
    last = torch.load(tmp_path / "kept" / "snapshots" / "step-000012.pt", weights_only=True)
    assert all(torch.equal(last[name], tensor.cpu()) for name, tensor in plain.state_dict().items())
    assert not (tmp_path / "plain" / "snapshots").exists()


def test_a_run_that_was_cut_misses_no_snapshot_and_writes_none_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = [0, 3, 6, 10]
    run(tmp_path / "whole", snapshots=kept)
    original, calls = Objective.__call__, iter(range(100))

    def cut_at_step_seven(self: Objective, *arguments: object) -> Any:
        if next(calls) == 7:  # the state on disk is that of step 4, the snapshot that of step 6
            raise KeyboardInterrupt
        return original(self, *arguments)

    monkeypatch.setattr(Objective, "__call__", cut_at_step_seven)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", snapshots=kept)
    written = {file: file.stat().st_mtime_ns for file in (tmp_path / "cut" / "snapshots").iterdir()}
    assert len(snapshots_of(tmp_path / "cut")) == 3
    run(tmp_path / "cut", snapshots=kept)
    assert {file: file.stat().st_mtime_ns for file in written} == written
    assert snapshots_of(tmp_path / "cut") == snapshots_of(tmp_path / "whole")


def test_a_run_whose_snapshot_is_lost_goes_on_from_a_state_before_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, snapshots=[3, 10])  # the states on disk are those of steps 8 and 12
    expected = snapshots_of(tmp_path)
    (tmp_path / "snapshots" / "step-000010.pt").write_bytes(b"")
    run(tmp_path, snapshots=[3, 10])
    assert snapshots_of(tmp_path) == expected
    told = capsys.readouterr().out
    assert "the snapshot of step 10 is missing or damaged" in told and "key-00000012 is deleted" in told


def test_the_fields_schedule_is_sgd_with_momentum_and_poly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    _, progress = run(tmp_path, method={}, **FIELDS)
    expected = [0.01 * (1 - step / 12) ** 0.9 for step in range(12)]
    assert [entry["learning_rate"] for entry in progress.history] == pytest.approx(expected)

    # v <- 0.9 v + g + 1e-4 w, w <- w - lr v; here the gradient is g = 2 w.
    weight, w, v = nn.Parameter(torch.ones(1)), 1.0, 0.0
    optimizer, scheduler = build_optimizer(schedule(5, **FIELDS), [weight])
    for step in range(5):
        weight.square().sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
        v = 0.9 * v + 2 * w + 1e-4 * w
        w -= 0.01 * (1 - step / 5) ** 0.9 * v
        assert weight.item() == pytest.approx(w)


def test_adamw_with_one_cycle_may_be_named(tmp_path: Path) -> None:
    named: dict[str, Any] = {"optimizer": {"name": "adamw"}, "schedule": {"name": "one_cycle"}}
    (silent, _), (explicit, _) = run(tmp_path / "silent"), run(tmp_path / "explicit", **named)
    assert torch.equal(weights(silent), weights(explicit))


def test_a_finished_run_trains_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done, progress = run(tmp_path)

    def never(*_: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(Objective, "__call__", never)
    again, same = run(tmp_path)
    assert torch.equal(weights(done), weights(again))
    assert same.history == progress.history


def test_a_state_of_another_key_is_not_taken_up(tmp_path: Path) -> None:
    run(tmp_path / "mixed", steps=4, key="old")
    mixed, _ = run(tmp_path / "mixed", key="new")
    fresh, _ = run(tmp_path / "fresh")
    assert torch.equal(weights(mixed), weights(fresh))
    states = sorted(state.name for state in (tmp_path / "mixed" / "state").iterdir())
    assert states == ["new-00000008", "new-00000012"]


def damage(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("breaks", [damage, lambda file: file.write_bytes(b""), Path.unlink])
@pytest.mark.parametrize(
    "name", ["model.safetensors", "optimizer.bin", "random_states_0.pkl", "custom_checkpoint_0.pkl"]
)
def test_a_broken_state_falls_back_to_the_one_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], breaks: Callable[[Path], None], name: str
) -> None:
    whole, _ = run(tmp_path)
    breaks(tmp_path / "state" / "key-00000012" / name)
    again, progress = run(tmp_path)
    assert torch.equal(weights(whole), weights(again))
    assert f"key-00000012/{name} is" in capsys.readouterr().out
    assert progress.step == 12


def test_without_a_whole_state_the_training_begins_anew(tmp_path: Path) -> None:
    whole, _ = run(tmp_path)
    for state in (tmp_path / "state").iterdir():
        damage(state / "model.safetensors")
    again, _ = run(tmp_path)
    assert torch.equal(weights(whole), weights(again))


def test_a_run_that_is_asked_to_stop_saves_its_state_and_goes_on_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, expected = run(tmp_path / "whole")
    request = tmp_path / "stop"
    monkeypatch.setenv(STOP_FILE, str(request))
    original = loop.take_step

    def ask_during_step_six(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 6:
            request.touch()
        return original(*arguments)

    calls: list[int] = []
    monkeypatch.setattr(loop, "take_step", ask_during_step_six)
    with pytest.raises(RunStoppedError, match="stopped at step 6 of 12"):
        run(tmp_path / "cut")
    request.unlink()
    resumed, progress = run(tmp_path / "cut")
    assert len(calls) == 12
    assert torch.equal(weights(whole), weights(resumed))
    assert progress.history == expected.history


def test_nan_in_the_features_stops_with_the_terms_and_keeps_the_last_good_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LOG_EVERY", 2)
    original = DilatedResNet.forward
    calls = 0

    def nan_from_step_six(self: DilatedResNet, images: torch.Tensor) -> Prediction:
        nonlocal calls
        calls += 1
        prediction = original(self, images)
        return prediction if calls < 6 else prediction._replace(features=prediction.features * torch.nan)

    monkeypatch.setattr(DilatedResNet, "forward", nan_from_step_six)
    with pytest.raises(TrainingError, match=r"step 6: a loss is not finite \(total nan, ce .*, pfs nan"):
        run(tmp_path)
    assert [state.name for state in (tmp_path / "state").iterdir()] == ["key-00000004"]


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A finite loss whose gradient is not: the last update before a state is saved."""
    original = Objective.forward
    calls = 0

    def poisoned_at_step_eight(self: Objective, *arguments: Any) -> dict[str, torch.Tensor]:
        nonlocal calls
        calls += 1
        losses = original(self, *arguments)
        if calls == 8:
            losses["total"].register_hook(lambda gradient: gradient * torch.nan)  # type: ignore[no-untyped-call]
        return losses

    monkeypatch.setattr(Objective, "forward", poisoned_at_step_eight)
    with pytest.raises(TrainingError, match=r"step 8: \d+ of the network's tensors are not finite"):
        run(tmp_path)
    assert [state.name for state in (tmp_path / "state").iterdir()] == ["key-00000004"]


def test_every_method_sees_the_same_scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.Tensor] = []
    original = ImageSplit.batch

    def watched(self: ImageSplit, indices: torch.Tensor, device: torch.device) -> object:
        seen.append(indices)
        return original(self, indices, device)

    monkeypatch.setattr(ImageSplit, "batch", watched)
    run(tmp_path / "ce", method={})
    run(tmp_path / "pfs", method={"pfs": {"weight": 1.0}})
    assert torch.equal(torch.stack(seen[:12]), torch.stack(seen[12:]))


@pytest.mark.parametrize("width", [2, 8])  # 8 channels for 16 locations, and 32
def test_cached_and_online_distillation_have_the_same_losses(tmp_path: Path, width: int) -> None:
    """To the last bit: both round the teacher's outputs alike, and both have its channels together in memory."""
    torch.manual_seed(1)
    teacher = DilatedResNet(width, 2).eval().to(PartialState().device).to(memory_format=torch.channels_last)
    alone = replace(scenes(), teacher=None)
    cache_teacher(teacher, alone, tmp_path / "outputs", batch_size=4)
    histories = []
    for name, source in (("cached", open_teacher_outputs(tmp_path / "outputs")), ("online", OnlineTeacher(teacher))):
        torch.manual_seed(0)
        objective = Objective(Method.model_validate(PFS_WSP), ignore_index=255)
        data = replace(alone, teacher=source)
        progress = train(DilatedResNet(4, 2), objective, data, schedule(42), seed=0, folder=tmp_path / name, key="key")
        histories.append(progress.history)
    for cached, online in zip(*histories, strict=True):
        assert cached == online


@pytest.mark.parametrize("breaks", [damage, lambda file: file.write_bytes(b""), Path.unlink])
@pytest.mark.parametrize("name", ["logits.raw", "features.raw", "teacher_terms.raw", "shapes.json"])
def test_broken_outputs_of_the_teacher_are_not_used_and_computed_again(
    tmp_path: Path, breaks: Callable[[Path], None], name: str
) -> None:
    torch.manual_seed(1)
    teacher = DilatedResNet(2, 2).eval().to(memory_format=torch.channels_last)
    alone, folder = replace(scenes(), teacher=None), tmp_path / "outputs-1"
    cache_teacher(teacher, alone, folder, batch_size=4)
    whole = (folder / name).read_bytes()
    breaks(folder / name)
    with pytest.raises(CacheError, match=f"{name} is .*run the study again"):
        open_teacher_outputs(folder)
    cache_teacher(teacher, alone, folder, batch_size=4)
    assert (folder / name).read_bytes() == whole
    open_teacher_outputs(folder)
