"""The interface of a task: its loss, its predictions and their scores; the tasks are in `segda.tasks`."""

from typing import Any, Protocol

from torch import Tensor

from segda.batch import Domain
from segda.label_space import LabelSpace
from segda.metrics.mean_iou import Confusion
from segda.networks.networks import Networks


class Task(Protocol):
    """A task over one label space.

    Attributes:
        space: classes, palette and ignore index.
        offers: needs of terms that the task meets: `label_map`, a label for every pixel.
        measure: the score that tables show for each class.
        prediction_rule: how `predict` computes its result, for the protocol of a score.
        evaluation_batch: number of images of one size that are predicted at once.
        class_weights: a factor for each class in the supervised loss, or `None`.
    """

    space: LabelSpace
    offers: frozenset[str]
    measure: str
    prediction_rule: str
    evaluation_batch: int
    class_weights: list[float] | None

    def supervised_loss(self, logits: Tensor, label: Tensor) -> Tensor:
        """The loss of logits `[B, K, h, w]` against labels, a mean over images."""

    def predict(self, networks: Networks, image: Tensor, size: Any, domain: Domain = "target") -> Tensor:
        """Class indices `[B, *size]` for images `[B, 3, H, W]` in `[-1, 1]`; `size` is that of a label."""

    def probabilities(self, networks: Networks, image: Tensor, size: Any, domain: Domain = "target") -> Tensor:
        """Class probabilities `[B, K, *size]`."""

    def meter(self) -> Confusion:
        """An empty confusion matrix."""
