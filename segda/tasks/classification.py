"""Classification: one class for every image, trained by cross entropy, scored by the share of images that are right."""

from torch import Tensor

from segda.batch import Domain
from segda.label_space import LabelSpace
from segda.losses.supervised import cross_entropy
from segda.metrics.confusion import Confusion
from segda.networks.networks import Networks


class Classification:
    """The classification task over one label space.

    Attributes:
        space: classes, palette and ignore index.
        offers: what it gives to terms that need it: nothing, since a label is of the whole image.
        measure: the score that a table shows for each class.
        prediction_rule: how `predict` comes to its answer, for the protocol of a score.
        evaluation_batch: how many images of one size are predicted at once.
    """

    offers: frozenset[str] = frozenset()
    measure = "accuracy"
    prediction_rule = "whole image in one pass, logits averaged over places, argmax"
    evaluation_batch = 250

    def __init__(self, space: LabelSpace) -> None:
        self.space = space

    def supervised_loss(self, logits: Tensor, label: Tensor) -> Tensor:
        """Cross entropy, the mean over images; images with the ignore index count as 0.

        Args:
            logits: `[B, K, h, w]`, unbounded; averaged over places, of which a classifying head gives one.
            label: int64 `[B]` of class indices, or `[B, h, w]` where a term has made labels from such logits.
        """
        if label.dim() == 3:
            return cross_entropy(logits, label, ignore_index=self.space.ignore_index)
        return cross_entropy(logits.mean(dim=(-2, -1)), label, ignore_index=self.space.ignore_index)

    def predict(
        self, networks: Networks, image: Tensor, size: tuple[int, ...] = (), domain: Domain = "target"
    ) -> Tensor:
        """The most likely class of every image.

        Args:
            networks: an encoder and a head.
            image: `[B, 3, H, W]` in `[-1, 1]`.
            size: of one label: `()`.
            domain: whose encoder sees the image, where the domains have one each.

        Returns:
            int64 `[B]` of class indices.
        """
        return self._logits(networks, image, domain).argmax(dim=1)

    def probabilities(
        self, networks: Networks, image: Tensor, size: tuple[int, ...] = (), domain: Domain = "target"
    ) -> Tensor:
        """The probability of every class for every image, `[B, K]`; arguments as in `predict`."""
        return self._logits(networks, image, domain).softmax(dim=1)

    def meter(self) -> Confusion:
        """An empty confusion matrix over this task's classes."""
        return Confusion(self.space.classes, self.space.ignore_index)

    def _logits(self, networks: Networks, image: Tensor, domain: Domain) -> Tensor:
        return networks.classify(networks.encode(image, domain)).mean(dim=(-2, -1))


def build(space: LabelSpace) -> Classification:
    """The classification task over `space`: one class an image."""
    return Classification(space)
