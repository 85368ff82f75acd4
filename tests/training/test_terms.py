"""Every term of the YAML has its loss, every loss its term, and every option of a term changes its loss."""

import inspect
from functools import partial
from typing import Any, Literal, get_args, get_origin

import pytest
import torch
from torch import Tensor

from pfs.config import methods
from pfs.config.methods import OF_THE_OBJECTIVE, PFS, WSP, Imitation, Method, Term
from pfs.losses import Prediction, pfs_loss, wsp_loss
from pfs.losses.baselines import skd_pairwise_loss
from pfs.losses.pfs import Distance, Scope
from pfs.losses.pfs_kernels import Similarity
from pfs.losses.wsp import GAPS
from pfs.training.objective import OF_FEATURES, OF_LOGITS, OF_PIXELS, Objective

TIES: dict[type[Term], Any] = {**OF_PIXELS, **OF_LOGITS, **OF_FEATURES}
TERMS: dict[str, type[Term]] = {
    name: next(kind for kind in get_args(field.annotation) if kind is not type(None))
    for name, field in Method.model_fields.items()
    if name not in ("label", "learning_rate")
}
# What the objective says to a loss itself: of the batch, or of the data set.
FROM_THE_BATCH = {"teacher_terms", "classes", "ignore_index", "class_weights", "location_weights"}


def options(term: type[Term]) -> dict[str, Any]:
    """The options of a term that are its loss's own, and their defaults."""
    return {name: field.default for name, field in term.model_fields.items() if name not in OF_THE_OBJECTIVE}


def switches(term: type[Term]) -> list[str]:
    """The options by which the objective says more to a term's loss."""
    return [name for name in ("class_weighted", "class_balanced") if name in term.model_fields]


def untied(fields: set[type[Term]], ties: set[type[Term]]) -> str:
    """What is forgotten, in words; nothing where every term has its loss and every loss its term."""
    said = [
        f"{term.__name__} is a term of Method without a loss in pfs/training/objective.py" for term in fields - ties
    ]
    said += [
        f"{term.__name__} has a loss in pfs/training/objective.py and is no term of Method" for term in ties - fields
    ]
    return "; ".join(said)


def test_every_term_has_one_loss_and_every_loss_a_term() -> None:
    assert len(TIES) == len(OF_PIXELS) + len(OF_LOGITS) + len(OF_FEATURES)
    forgotten = untied(set(TERMS.values()), set(TIES))
    assert not forgotten, forgotten


def test_every_class_of_a_term_is_a_field_of_the_method() -> None:
    classes = {kind for _, kind in inspect.getmembers(methods, inspect.isclass) if issubclass(kind, Term)} - {
        Term,
        Imitation,
    }
    assert classes == set(TERMS.values())


def test_a_forgotten_tie_and_a_forgotten_field_are_told() -> None:
    assert "PFS is a term of Method without a loss" in untied({PFS, WSP}, {WSP})
    assert "PFS has a loss in pfs/training/objective.py and is no term" in untied({WSP}, {PFS, WSP})


@pytest.mark.parametrize("name", TERMS)
def test_the_options_of_a_term_are_those_of_its_loss_with_the_same_defaults(name: str) -> None:
    parameters = inspect.signature(TIES[TERMS[name]]).parameters.values()
    own = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in FROM_THE_BATCH}
    assert own == options(TERMS[name]), f"{name}: the loss has {own}, its term {options(TERMS[name])}"


def choices(term: type[Term], option: str) -> list[str]:
    return list(get_args(term.model_fields[option].annotation))


def test_the_choices_of_an_option_are_those_of_its_loss() -> None:
    assert choices(WSP, "gap") == list(GAPS)
    assert choices(PFS, "distance") == list(get_args(Distance))
    assert choices(PFS, "similarity") == list(get_args(Similarity))
    assert choices(PFS, "scope") == list(get_args(Scope))


# --- every option changes the loss ----------------------------------------------------------------------------------


def others(term: type[Term], option: str) -> list[Any]:
    """The other values that an option can have: all of a choice, the other truth, twice a number."""
    annotation, default = term.model_fields[option].annotation, term.model_fields[option].default
    if get_origin(annotation) is Literal:
        return [choice for choice in get_args(annotation) if choice != default]
    return [not default] if annotation is bool else [2 * default]


# With which other options an option is asked: where it changes nothing otherwise, and is refused.
BESIDE: dict[tuple[type[Term], str], dict[str, Any]] = {(PFS, "temperature"): {"distance": "kl"}}
CASES = [
    pytest.param(name, option, value, id=f"{name}-{option}-{value}")
    for name, term in TERMS.items()
    for option in (*options(term), *switches(term))
    for value in others(term, option)
]


@pytest.fixture(scope="module")
def batch() -> tuple[Prediction, Prediction, Tensor]:
    """Of two images, whose 8 x 8 locations a grid of 4 or of 8 nodes divides; most labels are 0, as a background's."""
    draw = partial(torch.randn, generator=torch.Generator().manual_seed(0))
    student, teacher = (Prediction(draw(2, 4, 8, 8), draw(2, channels, 8, 8)) for channels in (3, 5))
    target = torch.randint(0, 16, (2, 16, 16), generator=torch.Generator().manual_seed(1)).sub(12).clamp(min=0)
    return student, teacher, target


def loss_of(batch: tuple[Prediction, Prediction, Tensor], name: str, **said: Any) -> Tensor:
    method = Method.model_validate({name: {"weight": 1.0, **said}})
    torch.manual_seed(0)  # the first weights of FitNet's convolution
    by_class = torch.tensor([0.1, 1.0, 2.0, 3.0])
    losses: dict[str, Tensor] = Objective(method, ignore_index=255, channels=(3, 5), class_weights=by_class)(*batch)
    return losses[name].detach()


@pytest.mark.parametrize(("name", "option", "value"), CASES)
def test_every_value_of_an_option_changes_the_loss(
    batch: tuple[Prediction, Prediction, Tensor], name: str, option: str, value: Any
) -> None:
    beside = BESIDE.get((TERMS[name], option), {})
    before, after = loss_of(batch, name, **beside), loss_of(batch, name, **beside, **{option: value})
    assert abs(after - before) > 1e-3 * before, f"{name}.{option}: {value} gives the same loss as the default"


@pytest.mark.parametrize("name", TERMS)
def test_no_term_is_constant(batch: tuple[Prediction, Prediction, Tensor], name: str) -> None:
    student, teacher, target = batch
    leaves = Prediction(*(x.clone().requires_grad_() for x in student))
    objective = Objective(Method.model_validate({name: {"weight": 1.0}}), ignore_index=255, channels=(3, 5))
    gradients = torch.autograd.grad(objective(leaves, teacher, target)[name], leaves, allow_unused=True)
    assert any(gradient is not None and gradient.any() for gradient in gradients)


# --- what is refused changes nothing ----------------------------------------------------------------------------------


def test_the_temperature_of_kl_changes_nothing_of_squared_differences(batch: Any) -> None:
    student, teacher, _ = batch
    cold, warm = (pfs_loss(student.features, teacher.features, temperature=temperature) for temperature in (0.1, 1.0))
    assert torch.equal(cold, warm)


def test_to_normalize_equal_weights_changes_nothing(batch: Any) -> None:
    student, teacher, target = batch
    losses = [
        wsp_loss(student.logits, teacher.logits, target, gap="uniform", normalize=normalize)
        for normalize in (True, False)
    ]
    assert torch.equal(*losses)


def test_a_grid_of_one_node_has_no_gradient(batch: Any) -> None:
    student, teacher, _ = batch
    leaf = student.features.clone().requires_grad_()
    for center in (True, False):
        (gradient,) = torch.autograd.grad(skd_pairwise_loss(leaf, teacher.features, grid=1, center=center), leaf)
        assert gradient.abs().max() < 1e-6
