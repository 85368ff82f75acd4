"""What others distil, each as a mean over valid pixels or positions, so that loss weights compare.

B images; a feature map is (B, C, H, W) with N = H W locations. The student gets the gradient, the teacher none. Where
the networks' maps differ in size, the finer one is averaged to the coarser one's grid before anything else. Each
returns a scalar, at least in fp32, and raises a ValueError for maps that are not of the same images.

The two that end in `_sums` compare the class probabilities of pixels: `pfs.losses.pixelwise.pixel_means` walks over the
pixels once for all such losses of a method, and makes means of their sums.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from pfs.losses.derivatives import product
from pfs.losses.pfs import similarity_map, similarity_rows, to_common_grid
from pfs.losses.pfs_kernels import largest
from pfs.losses.pixelwise import PixelSums, Probabilities, weighted_cross_entropy
from pfs.losses.prediction import in_full_precision
from pfs.losses.wsp import wsp_sums


def kd_sums(
    label: Tensor,
    valid: Tensor,
    student: Probabilities,
    teacher: Probabilities,
    *,
    temperature: float = 1.0,
    class_weights: Tensor | None = None,
) -> PixelSums:
    """Knowledge distillation at every pixel (Hinton et al. 2015, arXiv 1503.02531), summed over some pixels.

    T² · KL(teacher ‖ student) with all valid pixels alike, or as `class_weights` says: WSP with equal gaps.
    `pfs.losses.wsp.wsp_sums` gives the shapes and the errors.
    """
    by_class = class_weights
    return wsp_sums(label, valid, student, teacher, gap="uniform", temperature=temperature, class_weights=by_class)


def hard_pixel_sums(label: Tensor, valid: Tensor, student: Probabilities, *_: Probabilities) -> PixelSums:
    """A control without a teacher: cross-entropy weighted by 1 - p_student[y], the weights scaled to mean 1.

    If this control gains as much as WSP does, then WSP's gain does not come from the teacher.

    Args:
        label: (M, W) labels y of some pixels, 0 where they are ignored.
        valid: (M, W), 1 where a pixel counts and 0 where its label is ignored.
        student: the probabilities of the pixels' classes.
    """
    weight = -torch.expm1(student.label_log_prob(label)) * valid  # 1 - p[y]
    return weighted_cross_entropy(label, weight, student)


@in_full_precision
def fitnet_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Hints (Romero et al. 2014, arXiv 1412.6550): the mean squared difference of features.

    Args:
        student: (B, C, H, W), already brought to the teacher's channels by a learnt 1 x 1 convolution.
        teacher: (B, C, H', W').

    Raises:
        ValueError: the channels differ.
    """
    student, teacher = comparable(student, teacher)
    if student.shape != teacher.shape:
        raise ValueError(f"a hint needs equal channels, got {student.shape[1]} and {teacher.shape[1]}")
    # mean over b, c, i of (s_bci - t_bci)²
    return F.mse_loss(student, teacher)


@in_full_precision
def nfd_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Normalised feature distillation (Liu et al. 2022, arXiv 2207.05256): the student need not match magnitudes.

    Our reading: each channel of each image is brought to mean 0 and variance 1 over its locations, in both networks
    alike, and the squared differences are averaged. A channel that is constant over the image becomes 0.

    Args:
        student: (B, C, H, W), already brought to the teacher's channels by a learnt 1 x 1 convolution.
        teacher: (B, C, H', W').

    Raises:
        ValueError: the channels differ, or there is a single location, which has no variance.
    """
    student, teacher = comparable(student, teacher)
    if student.shape != teacher.shape:
        raise ValueError(f"channels are compared one by one, got {student.shape[1]} and {teacher.shape[1]}")
    # n = (f - mean_i f) / sqrt(var_i f + 1e-5) per image and channel; mean over b, c, i of (n_S - n_T)²
    return F.mse_loss(F.instance_norm(student), F.instance_norm(teacher))


@in_full_precision
def attention_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Attention transfer (Zagoruyko and Komodakis 2016, arXiv 1612.03928, eq. 2), with squares.

    Args:
        student: (B, C, H, W).
        teacher: (B, C', H', W').
    """
    student, teacher = comparable(student, teacher)
    # q_i = mean_c f_ci², scaled to a mean square of 1 over the locations; mean over b, i of (q_S - q_T)²
    squares = (_of_size_one(f, (1, 2, 3)).square() for f in (student, teacher))
    attention = [F.normalize(square.mean(1).flatten(1), dim=1) for square in squares]  # (B, N)
    return (attention[0] - attention[1]).square().sum(1).mean()  # unit length: the sum is N times the mean


@in_full_precision
def sp_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Similarity-preserving distillation (Tung and Mori 2019, arXiv 1907.09682, eq. 4): images against images.

    Of a single image it is 0.

    Args:
        student: (B, C, H, W).
        teacher: (B, C', H', W').
    """
    student, teacher = comparable(student, teacher)
    # G = f fᵀ over flattened images, each row scaled to unit length; mean over B x B of (G_S - G_T)²
    rows = (_of_size_one(f, (0, 1, 2, 3)).flatten(1) for f in (student, teacher))  # (B, C N)
    gram = [F.normalize(product(f, f.T), dim=1) for f in rows]  # (B, B)
    return (gram[0] - gram[1]).square().mean()


@in_full_precision
def skd_pairwise_loss(student: Tensor, teacher: Tensor, *, grid: int = 4, center: bool = False) -> Tensor:
    """The pair-wise term of structured knowledge distillation (Liu et al. 2019, arXiv 1903.04197, eq. 2).

    Both feature maps are max-pooled to `grid` x `grid` nodes; the loss is the mean squared difference of the
    nodes' cosine similarities, over images and pairs of nodes.

    Args:
        student: (B, C, H, W).
        teacher: (B, C', H', W').
        grid: nodes a side; at most the coarser map's height and width.
        center: subtract the nodes' mean feature first, as PFS does; the paper does not.

    Raises:
        ValueError: the grid is finer than a map, or less than 1.
    """
    student, teacher = comparable(student, teacher)
    if not 1 <= grid <= min(student.shape[-2:]):
        raise ValueError(f"grid {grid} does not fit the features' map {tuple(student.shape[-2:])}: from 1 to its side")
    pooled = (F.adaptive_max_pool2d(features, grid) for features in (student, teacher))
    # mean over b, i, j of (cos_S(i, j) - cos_T(i, j))²
    maps = [similarity_map(similarity_rows(f, similarity="cosine", center=center)) for f in pooled]
    return (maps[0] - maps[1]).square().mean()


@in_full_precision
def cwd_loss(student: Tensor, teacher: Tensor, *, temperature: float = 4.0) -> Tensor:
    """Channel-wise distillation (Shu et al. 2020, arXiv 2011.13256, eq. 4) of logits, or of equal channels.

    Args:
        student: (B, C, H, W).
        teacher: (B, C, H', W').
        temperature: T of the softmax over the locations of each channel.

    Raises:
        ValueError: the channels differ, or the temperature is not positive.
    """
    student, teacher = comparable(student, teacher)
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    if student.shape != teacher.shape:
        raise ValueError(f"channels are compared one by one, got {student.shape[1]} and {teacher.shape[1]}")
    # phi_c = softmax over locations of f_c / T; mean over b, c of T² · KL(phi_T ‖ phi_S)
    log_s, log_t = ((f.flatten(2) / temperature).log_softmax(2) for f in (student, teacher))  # (B, C, N)
    p, q = log_t.exp(), log_s.exp()
    # q - p sums to 0, and takes with it the rounding of the normalisers, which would outweigh small differences.
    loss = temperature**2 * (p * (log_t - log_s) + (q - p)).sum(2).mean()
    return loss + (loss.clamp_min(0) - loss).detach()  # rounding can leave less than 0; the gradient stays


@in_full_precision
def ifvd_loss(student: Tensor, teacher: Tensor, target: Tensor, *, classes: int, ignore_index: int = 255) -> Tensor:
    """Intra-class feature variation (Wang et al., ECCV 2020, eq. 4): how alike each pixel is to its class's mean in
    its image.

    Args:
        student: (B, C, h, w).
        teacher: (B, C', h', w').
        target: (B, H, W) labels, of which the nearest is taken at each location of the features.
        classes: how many there are.
        ignore_index: pixels with this label count nowhere.

    Raises:
        ValueError: the labels are not of the features' images.
    """
    student, teacher = comparable(student, teacher)
    if target.dim() != 3 or len(target) != len(student):
        raise ValueError(f"labels must be (B, H, W) with B = {len(student)}, got {tuple(target.shape)}")
    grid = student.shape[-2:]
    label = F.interpolate(target[:, None].float(), size=grid, mode="nearest")[:, 0].long().flatten(1)  # (B, N)
    valid = label != ignore_index
    member = F.one_hot(label.masked_fill(~valid, 0), classes).to(student.dtype) * valid[..., None]  # (B, N, K)
    # prototype_k = mean of the f_i with label k; mean over valid i of (cos_S(f_i, prototype) - cos_T(...))²
    rows = (_of_size_one(f, (1, 2, 3)).flatten(2).transpose(1, 2) for f in (student, teacher))  # (B, N, C)
    variation = [_similarity_to_prototype(f, member) for f in rows]
    return ((variation[0] - variation[1]).square() * valid).sum() / valid.sum().clamp_min(1)


def _similarity_to_prototype(rows: Tensor, member: Tensor) -> Tensor:
    """The cosine of each row (B, N, C) to the mean row of its class; `member` (B, N, K) says which that is."""
    count = member.sum(1).clamp_min(1)[..., None]  # (B, K, 1)
    prototypes = product(member.mT, rows) / count  # (B, K, C)
    return F.cosine_similarity(rows, product(member, prototypes), dim=2)


def _of_size_one(features: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Features over a power of two near their largest absolute value over `dims`, for losses that no scale changes.

    Their squares, and the squares of these, then neither overflow nor vanish. The scale counts as a constant.
    """
    return features / largest(features.detach(), dims).log2().floor().exp2()


def comparable(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Both maps (B, C, H, W) on the coarser grid and at least in fp32; no gradient for the teacher."""
    dtype = torch.promote_types(torch.promote_types(student.dtype, teacher.dtype), torch.float32)
    return to_common_grid(student.to(dtype), teacher.detach().to(dtype))
