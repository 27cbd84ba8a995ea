"""The classes predicted in a target image are as large as in source images.

Equation: for each target image and each present class `c`, `delta_c <= mean_p softmax(h(f_t(y)))_pc <= gamma_c`.
Of the source images that contain `c`, `alpha_c`, `delta_c` and `gamma_c` are the least (lowest 10 %), mean and most
(highest 10 %) share of pixels; a class is present when the share of pixels predicted as `c` is above `0.1 alpha_c`.
Classes with `alpha_c > 0.1` have weight 0.1.
Source: Hoffman et al. 2016 (FCNs in the Wild), section 3.3, after Pathak et al. 2015 (CCNN). **Ours:** where CCNN
solves for the nearest distribution within the bounds, we minimise a penalty: the logarithm of size over bound (see
`segda.losses.class_size`), summed over classes, mean over images. The slack of the lower bound, a limited multiplier in
CCNN, is the factor `lower` here: many images lie below the mean.
**Gradients:** head and target encoder.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from segda.losses.class_size import log_shares, outside_bounds, predicted_shares
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.term import Term


@dataclass(frozen=True)
class ClassSize(Term):
    """Penalty on target images whose classes are smaller or larger than in source images.

    Attributes:
        lower: factor of the shortfall below the lower bound, which has slack; that of the upper bound is 1.
        present: a class is present where its predicted share exceeds this factor of its least size.
        large: classes whose least size is above this share of the image are large.
        large_factor: factor of large classes.
    """

    lower: float = 0.1
    present: float = 0.1
    large: float = 0.1
    large_factor: float = 0.1

    def __post_init__(self) -> None:
        self.check_not_negative("lower", "present", "large", "large_factor")

    def needs(self) -> set[str]:
        """Encoder, head, and the source's class sizes, which take a label for every pixel."""
        return {"encoder", "head", "class_sizes", "label_map"}

    def generator(self, p: ForwardPass) -> Tensor:
        """The mean over target images of the penalties' sum over classes."""
        shortfall, excess, factor = self._outside(p)
        return (factor * (self.lower * shortfall + excess)).sum(dim=1).mean()

    def measures(self, p: ForwardPass) -> dict[str, Tensor]:
        """Mean number of a target image's present classes that are too small, and too large."""
        shortfall, excess, factor = self._outside(p)
        present = factor > 0
        return {
            "too_small": ((shortfall > 0) & present).float().sum(dim=1).mean(),
            "too_large": ((excess > 0) & present).float().sum(dim=1).mean(),
        }

    def _outside(self, p: ForwardPass) -> tuple[Tensor, Tensor, Tensor]:
        """Shortfall, excess and factor of each image's classes, `[B, K]`; the factor of an absent class is 0."""

        def compute() -> tuple[Tensor, Tensor, Tensor]:
            logits = p.logits("target")
            least, mean, most = (size.to(logits) for size in p.class_sizes)
            with torch.no_grad():  # a class that no source image has is NaN, hence never present
                present = predicted_shares(logits) > self.present * least
                factor = torch.where(least > self.large, self.large_factor, 1.0).to(logits) * present
            return *outside_bounds(log_shares(logits), mean, most), factor

        return p.once(("class_size", "outside"), compute)


build = ClassSize
