"""The total is what the study says it is."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F

from pfs.config.methods import Method
from pfs.losses import Prediction, definition, pfs_kernels, pfs_loss, wsp_loss
from pfs.losses.baselines import (
    attention_loss,
    cwd_loss,
    fitnet_loss,
    ifvd_loss,
    nfd_loss,
    skd_pairwise_loss,
    sp_loss,
)
from pfs.losses.pfs import class_balance, precompute_teacher_terms
from pfs.losses.pixelwise import pixel_means
from pfs.losses.prediction import CachedPrediction, upsample
from pfs.losses.relations import dist_loss, standardized_kd_sums
from pfs.training.objective import Objective


def predictions() -> tuple[Prediction, Prediction, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    student, teacher = (
        Prediction(torch.randn(2, 4, 5, 5, generator=generator), torch.randn(2, c, 5, 5, generator=generator))
        for c in (3, 6)
    )
    return student, teacher, torch.randint(0, 4, (2, 10, 10), generator=generator)


def test_total_is_the_cross_entropy_plus_the_weighted_terms() -> None:
    student, teacher, target = predictions()
    method = Method.model_validate(
        {
            "kd": {"weight": 2.0, "temperature": 3.0},
            "kd_standardized": {"weight": 0.6, "temperature": 3.0},
            "dist": {"weight": 0.4, "beta": 2.0, "gamma": 0.5, "temperature": 2.0},
            "fitnet": {"weight": 3.0},
            "nfd": {"weight": 1.2},
            "at": {"weight": 1.5},
            "sp": {"weight": 2.5},
            "skd": {"weight": 5.0, "grid": 2, "center": True},
            "cwd": {"weight": 0.3, "temperature": 2.0},
            "ifvd": {"weight": 0.7},
            "hard_pixels": {"weight": 0.9},
            "pfs": {
                "weight": 7.0,
                "distance": "kl",
                "center": False,
                "scope": "batch",
                "temperature": 0.2,
                "similarity": "dot",
            },
            "wsp": {"weight": 0.5, "gap": "absolute", "temperature": 4.0, "normalize": False},
        }
    )
    objective = Objective(method, ignore_index=255, channels=(3, 6))
    losses = objective(student, teacher, target)
    hinted, normalised = (objective.hints[name](student.features) for name in ("fitnet", "nfd"))
    logits = upsample(student.logits, (10, 10))
    teacher_terms = logits.softmax(1).gather(1, target[:, None])  # p[y]
    expected = {
        "ce": F.cross_entropy(logits, target),
        "kd": definition.kd(logits, upsample(teacher.logits, (10, 10)), target, temperature=3.0),
        "kd_standardized": pixel_means(
            [partial(standardized_kd_sums, temperature=3.0)], student.logits, teacher.logits, target, ignore_index=255
        )[0],
        "dist": dist_loss(student.logits, teacher.logits, beta=2.0, gamma=0.5, temperature=2.0),
        "fitnet": fitnet_loss(hinted, teacher.features),
        "nfd": nfd_loss(normalised, teacher.features),
        "at": attention_loss(student.features, teacher.features),
        "sp": sp_loss(student.features, teacher.features),
        "skd": skd_pairwise_loss(student.features, teacher.features, grid=2, center=True),
        "cwd": cwd_loss(student.logits, teacher.logits, temperature=2.0),
        "ifvd": ifvd_loss(student.features, teacher.features, target, classes=4),
        "hard_pixels": ((1 - teacher_terms) * -teacher_terms.log()).sum() / (1 - teacher_terms).sum(),
        "pfs": pfs_loss(
            student.features,
            teacher.features,
            distance="kl",
            center=False,
            scope="batch",
            temperature=0.2,
            similarity="dot",
        ),
        "wsp": wsp_loss(student.logits, teacher.logits, target, gap="absolute", temperature=4.0, normalize=False),
    }
    weights = {"ce": 1.0, **{name: term.weight for name, term in method.terms.items()}}
    expected["total"] = sum((weights[name] * loss for name, loss in expected.items()), torch.zeros(()))
    assert set(losses) == set(expected)
    for name, loss in expected.items():
        torch.testing.assert_close(losses[name], loss)


def test_the_default_pfs_takes_the_maps_that_were_kept_and_other_options_do_not() -> None:
    student = Prediction(torch.randn(2, 3, 4, 4), torch.randn(2, 8, 4, 4))
    teacher = Prediction(torch.randn(2, 3, 4, 4), torch.randn(2, 20, 4, 4))  # 20 channels, 16 locations
    target = torch.zeros(2, 8, 8, dtype=torch.int64)
    true = precompute_teacher_terms(teacher.features)
    for options, is_used in (({}, True), ({"center": False}, False), ({"similarity": "dot"}, False)):
        objective = Objective(Method.model_validate({"pfs": {"weight": 1.0, **options}}), ignore_index=255)
        asked, kept, wrong = (
            objective(student, said, target)["pfs"]
            for said in (teacher, CachedPrediction(*teacher, true), CachedPrediction(*teacher, -true))
        )
        assert torch.equal(asked, kept)
        assert torch.equal(kept, wrong) != is_used


@pytest.mark.parametrize("widths", [(12, 4), (4, 12)])
def test_pfs_of_a_teacher_asked_at_each_step_whatever_the_widths(
    widths: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The narrower features are one strip, the wider ones are several."""
    monkeypatch.setattr(pfs_kernels, "STRIP", 2 * 36 * 4)
    generator = torch.Generator().manual_seed(0)
    student, teacher = (
        Prediction(torch.randn(2, 3, 6, 6, generator=generator), torch.randn(2, width, 6, 6, generator=generator))
        for width in widths
    )
    student.features.requires_grad_()
    objective = Objective(Method.model_validate({"pfs": {"weight": 2.0, "center": False}}), ignore_index=255)
    total = objective(student, teacher, torch.zeros(2, 6, 6, dtype=torch.int64))["total"]
    S, T = (F.normalize(x.features, dim=1).flatten(2) for x in (student, teacher))
    expected = 2 * (S.mT @ S - T.mT @ T).square().mean()
    gradients = [torch.autograd.grad(x, student.features)[0] for x in (total, expected)]
    torch.testing.assert_close(*gradients)


def test_without_terms_no_teacher_is_needed() -> None:
    student, _, target = predictions()
    losses = Objective(Method(), ignore_index=255)(student, None, target)
    assert set(losses) == {"total", "ce"}


def test_a_term_without_a_teacher_is_refused() -> None:
    student, _, target = predictions()
    objective = Objective(Method.model_validate({"pfs": {"weight": 1.0}}), ignore_index=255)
    with pytest.raises(ValueError, match="'pfs' needs the teacher's prediction"):
        objective(student, None, target)


def test_the_control_needs_no_teacher() -> None:
    student, _, target = predictions()
    method = Method.model_validate({"hard_pixels": {"weight": 1.0}})
    assert not method.needs_teacher
    assert "hard_pixels" in Objective(method, ignore_index=255)(student, None, target)


@pytest.mark.parametrize(("decay", "half_way"), [("linear", 0.5), ("cosine", 0.5), (None, 1.0)])
def test_a_weight_that_decays_falls_from_its_value_to_nothing(decay: str | None, half_way: float) -> None:
    student, teacher, target = predictions()
    method = Method.model_validate({"pfs": {"weight": 4.0, **({"decay": decay} if decay else {})}})
    objective = Objective(method, ignore_index=255)
    factors = []
    for done in (0.0, 0.25, 0.5, 1.0):
        objective.done = done
        losses = objective(student, teacher, target)
        factors.append(float((losses["total"] - losses["ce"]) / (4 * losses["pfs"])))
    quarter = {"linear": 0.75, "cosine": (1 + 0.5**0.5) / 2, None: 1.0}[decay]
    assert factors == pytest.approx([1.0, quarter, half_way, 0.0 if decay else 1.0], abs=1e-5)


def test_a_weight_that_decays_still_takes_what_the_cache_holds() -> None:
    """Only the loss's own options say whether the cached terms are those of this loss."""
    student, teacher, target = predictions()
    kept = CachedPrediction(*teacher, -precompute_teacher_terms(teacher.features))
    plain, decaying = (
        Objective(Method.model_validate({"pfs": {"weight": 1.0, **said}}), ignore_index=255)(student, kept, target)
        for said in ({}, {"decay": "linear"})
    )
    assert torch.equal(plain["pfs"], decaying["pfs"])


def test_a_term_weighted_by_class_needs_class_weights() -> None:
    method = Method.model_validate({"kd": {"weight": 1.0, "class_weighted": True}})
    with pytest.raises(ValueError, match="'kd' is class_weighted, and there are no class weights"):
        Objective(method, ignore_index=255)


def test_balanced_pfs_weighs_the_coarser_grids_locations() -> None:
    student, teacher, target = predictions()
    fine = Prediction(teacher.logits, teacher.features.repeat_interleave(2, 2).repeat_interleave(2, 3))
    method = Method.model_validate({"pfs": {"weight": 1.0, "class_balanced": True}})
    losses = Objective(method, ignore_index=255)(student, fine, target)
    weights = class_balance(target, (5, 5), classes=4)
    expected = pfs_loss(student.features, teacher.features, location_weights=weights)
    torch.testing.assert_close(losses["pfs"], expected)
    assert (losses["pfs"] - pfs_loss(student.features, teacher.features)).abs() > 1e-3 * expected


def test_a_hint_has_weights_of_its_own_and_needs_the_channels() -> None:
    for names in (["fitnet"], ["nfd"], ["fitnet", "nfd"]):
        method = Method.model_validate({name: {"weight": 1.0} for name in names})
        parameters = Objective(method, ignore_index=255, channels=(3, 6)).parameters()
        assert sum(p.numel() for p in parameters) == len(names) * (3 * 6 + 6)
        with pytest.raises(ValueError, match=f"'{names[0]}' needs the channels"):
            Objective(method, ignore_index=255)


def test_cross_entropy_without_a_valid_pixel_is_zero() -> None:
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    objective = Objective(Method(), ignore_index=255)
    loss = objective(Prediction(logits, logits), None, torch.full((1, 2, 2), 255))["total"]
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.detach() == 0
    assert gradient.eq(0).all()
