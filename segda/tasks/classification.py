"""Classification of whole images, trained by cross entropy, scored by accuracy."""

from torch import Tensor

from segda.batch import Domain
from segda.label_space import LabelSpace
from segda.losses.supervised import cross_entropy
from segda.metrics.mean_iou import Confusion
from segda.networks.networks import Networks


class Classification:
    """The classification task over one label space.

    Attributes:
        space: classes, palette and ignore index.
        offers, measure, prediction_rule, evaluation_batch, class_weights: see `segda.task.Task`.
    """

    offers: frozenset[str] = frozenset()
    measure = "accuracy"
    prediction_rule = "whole image in one pass, logits averaged over places, argmax"
    evaluation_batch = 250
    class_weights = None

    def __init__(self, space: LabelSpace) -> None:
        self.space = space

    def supervised_loss(self, logits: Tensor, label: Tensor) -> Tensor:
        """Cross entropy, the mean over images; 0 for images with the ignore index.

        Args:
            logits: `[B, K, h, w]`, unbounded; averaged over positions, of which a classifying head has one.
            label: int64 `[B]` of class indices, or `[B, h, w]` where a term predicts labels from such logits.
        """
        if label.dim() == 3:
            return cross_entropy(logits, label, ignore_index=self.space.ignore_index)
        return cross_entropy(logits.mean(dim=(-2, -1)), label, ignore_index=self.space.ignore_index)

    def predict(
        self, networks: Networks, image: Tensor, size: tuple[int, ...] = (), domain: Domain = "target"
    ) -> Tensor:
        """The most likely class of every image `[B, 3, H, W]` in `[-1, 1]`: int64 `[B]`; a label's `size` is `()`."""
        return self._logits(networks, image, domain).argmax(dim=1)

    def probabilities(
        self, networks: Networks, image: Tensor, size: tuple[int, ...] = (), domain: Domain = "target"
    ) -> Tensor:
        """The probability of every class for every image, `[B, K]`."""
        return self._logits(networks, image, domain).softmax(dim=1)

    def meter(self) -> Confusion:
        """An empty confusion matrix over this task's classes."""
        return Confusion(self.space.classes, self.space.ignore_index)

    def _logits(self, networks: Networks, image: Tensor, domain: Domain) -> Tensor:
        return networks.classify(networks.encode(image, domain)).mean(dim=(-2, -1))


build = Classification
