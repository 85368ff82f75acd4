"""Convolutions that torch's own computes wrongly on a processor, as the same function computed another way.

`mend_convolutions` puts them into a network. Names and values of its state stay as they are.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NARROW = 16  # input channels: faults were seen with up to 12; wide layers are left alone, because slicing costs time


class DepthwiseConv2d(nn.Conv2d):
    """A depthwise convolution, which on a processor stays in fp32 under autocast.

    In bf16 the gradient of its weights, dilated, is computed from memory that nobody has written (torch 2.14.1 with
    oneDNN, AVX512 bf16, 512 x 33 x 33 at rates 6 and 12): mostly right, now and then 1e24.
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu":
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.float())


class StridedPointwiseConv2d(nn.Conv2d):
    """A 1 x 1 convolution with a stride, which on a processor first selects the locations that it keeps.

    With a stride, the backward pass in channels_last writes outside of its memory where there are few input channels
    (torch 2.14.1 with oneDNN, AVX2 without AVX512): the process crashes or hangs, or the gradient is silently wrong.
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu":
            return super().forward(x)
        rows, columns = self.stride
        return F.conv2d(x[..., ::rows, ::columns], self.weight, self.bias, groups=self.groups)


def mend_convolutions(network: nn.Module) -> None:
    """Replace, in place, each convolution of a network that torch computes wrongly on some processors."""
    for module in network.modules():
        if type(module) is nn.Conv2d:
            if module.groups == module.in_channels > 1:
                module.__class__ = DepthwiseConv2d
            elif is_narrow_strided_pointwise(module):
                module.__class__ = StridedPointwiseConv2d


def is_narrow_strided_pointwise(module: nn.Conv2d) -> bool:
    """Whether a convolution is 1 x 1, without padding, with a stride, and has at most `NARROW` input channels."""
    pointwise = module.kernel_size == (1, 1) and module.padding in ((0, 0), "valid", "same")
    return pointwise and max(module.stride) > 1 and module.in_channels <= NARROW
