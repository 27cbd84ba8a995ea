"""Class sizes that the tiny networks' predictions violate from both sides: one class is large, one has no size."""

import torch

from segda.objectives.class_sizes import ClassSizes

SIZES = ClassSizes(
    least=torch.tensor([0.3, 0.02, torch.nan, 0.01]),
    mean=torch.tensor([0.5, 0.4, torch.nan, 0.05]),
    most=torch.tensor([0.6, 0.5, torch.nan, 0.1]),
)
