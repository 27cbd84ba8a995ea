"""Faults planted in segda: each must be caught by the comparisons of this folder."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from segda.batch import Domain, other
from segda.losses import adversarial
from segda.objectives import domain_adversary, draw
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.image_pool import ImagePool
from segda.objectives.objective import Objective
from segda.objectives.terms import class_adversarial, cycle, feature_adversarial, feature_distance, self_training
from segda.tasks import segmentation
from tests.equivalence import setting, split
from tests.equivalence.test_methods import compare

Patch = Callable[[pytest.MonkeyPatch], None]


def replace(owner: Any, name: str, value: Any) -> Patch:
    return lambda patch: patch.setattr(owner, name, value)


def _ignored_as_class_0(logits: Tensor, label: Tensor, **_: Any) -> Tensor:
    return functional.cross_entropy(logits, label.where(label != 255, 0))


def _batch_mean(logits: Tensor, label: Tensor, **_: Any) -> Tensor:
    return functional.cross_entropy(logits, label, ignore_index=255)


def _wrong_encoder(self: ForwardPass, domain: Domain) -> list[Tensor]:
    return self.once(("features", domain), lambda: self.networks.encode(self.image(domain), other(domain)))


def _attached_translated(self: ForwardPass, domain: Domain) -> Any:
    return self.discriminate(other(domain), "translated, detached", self.translated(domain))


def _discriminated_by_own(self: ForwardPass, domain: Domain) -> Any:
    return self.discriminate(domain, "translated", self.translated(domain))


def _translated_to_own(self: ForwardPass, domain: Domain) -> Tensor:
    return self.once(("translated", domain), lambda: self.networks.decode(self.features(domain), domain))


def _cycled_to_other(self: ForwardPass, domain: Domain) -> Tensor:
    return self.once(("cycled", domain), lambda: self.networks.decode(self.features_translated(domain), other(domain)))


_features_translated = ForwardPass.features_translated


def _without_stop_gradient(self: ForwardPass, domain: Domain, stop_gradient: bool = False) -> list[Tensor]:
    return _features_translated(self, domain)


def _always_stop_gradient(self: ForwardPass, domain: Domain, stop_gradient: bool = False) -> list[Tensor]:
    return _features_translated(self, domain, True)


def _student_teaches(self: ForwardPass) -> Tensor:
    return self.logits("target")


def _attached_scores(self: Any, p: ForwardPass, domain: Domain) -> Tensor:
    return self._attached(p, domain)


def _own_images_only(self: ImagePool, images: Tensor, position: Tensor, gather: Any) -> Tensor:
    own = zip(images.detach(), position.tolist(), strict=True)
    return torch.stack([self._swap(image, index) for image, index in own])


def _whole_batch_share(self: Any, p: ForwardPass) -> tuple[Tensor, Tensor]:
    label, share = _confidence(self, p)
    return label, share.mean().expand_as(share)


_confidence = self_training.SelfTraining._confidence


def _process_draws(seed: int, purpose: str, position: Tensor, shape: tuple[int, ...]) -> Tensor:
    return torch.rand(len(position), *shape, generator=torch.Generator().manual_seed(seed))


def _feature_fake_is_real(real: Tensor, fake: Tensor, loss: adversarial.AdversarialLoss, *_: Any) -> Tensor:
    return (adversarial.as_real(fake, loss) + adversarial.as_fake(real, loss)) / 2


def _as_target(self: Any, p: ForwardPass, domain: Domain, taken_for: Domain, output: Any) -> Tensor:
    return _class_loss(self, p, domain, domain, output)


_class_loss = class_adversarial.ClassAdversarial._loss


def _classes_alone(logits: Tensor, label: Tensor) -> Tensor:
    count = logits.shape[1] // 2
    both = logits.log_softmax(dim=1)
    return -(label[:, :count] + label[:, count:]).mul(both[:, :count].logaddexp(both[:, count:])).sum(dim=1).mean()


def _everywhere(label: Tensor, classes: Any, size: tuple[int, int], share: float) -> Tensor:
    return torch.ones(len(label), *size, dtype=torch.bool)


HAND_WRITTEN: list[tuple[str, str, Patch]] = [
    ("source_only", "ignored pixels train as class 0", replace(segmentation, "cross_entropy", _ignored_as_class_0)),
    ("source_only", "pixels averaged over the batch", replace(segmentation, "cross_entropy", _batch_mean)),
    ("cyclegan", "encoders swapped", replace(ForwardPass, "features", _wrong_encoder)),
    ("cyclegan", "translation decoded in its own domain", replace(ForwardPass, "translated", _translated_to_own)),
    ("cyclegan", "discriminators swapped", replace(ForwardPass, "discriminate_translated", _discriminated_by_own)),
    ("cyclegan", "cycle ends in the other domain", replace(ForwardPass, "cycled", _cycled_to_other)),
    ("cyclegan", "identity through its own encoder",
     replace(ForwardPass, "reconstructed_through_other", ForwardPass.reconstructed)),
    ("cyclegan", "cycle without gradient to the translation",
     replace(ForwardPass, "features_translated", _always_stop_gradient)),
    ("cyclegan_semantic", "fakes reach the semantic discriminator attached",
     replace(ForwardPass, "discriminate_translated_detached", _attached_translated)),
    ("cyclegan_semantic", "cycle not class-weighted",
     replace(cycle, "class_balance", lambda label, size: torch.ones(label.shape, dtype=torch.float64))),
    ("i2i_gta5", "translated classification without stop_gradient",
     replace(ForwardPass, "features_translated", _without_stop_gradient)),
    ("i2i_gta5", "fakes reach the discriminators attached",
     replace(ForwardPass, "discriminate_translated_detached", _attached_translated)),
    ("i2i_gta5", "discriminators not frozen", replace(Objective, "_frozen", lambda self, names: nullcontext())),
    ("i2i_gta5", "gradient penalty at the real image",
     replace(ForwardPass, "uniform", lambda self, purpose, domain: torch.ones(4))),
    ("i2i_gta5", "gradient penalty forgotten",
     replace(adversarial, "gradient_penalty", lambda *_: torch.zeros((), dtype=torch.float64))),
    ("i2i", "feature discriminator not detached",
     replace(feature_adversarial.FeatureAdversarial, "_detached", _attached_scores)),
    ("i2i", "source and target swapped for the feature discriminator",
     replace(adversarial, "discriminator", _feature_fake_is_real)),
    ("dann", "gradient not reversed", replace(domain_adversary, "reverse_gradient", lambda x, strength: x)),
    ("dann", "strength forgotten", replace(domain_adversary, "dann_schedule", lambda progress: 1.0)),
    ("fcns_in_the_wild", "non-saturating in place of confusion",
     replace(adversarial, "confusion", lambda s, t, loss: adversarial.generator(t, loss))),
    ("output_adversarial", "logits scored without softmax",
     replace(feature_adversarial, "_probabilities", lambda logits: logits * 1.0)),
    ("self_training", "student teaches itself", replace(ForwardPass, "teacher_logits", _student_teaches)),
    ("fada", "target features told from source ones by class alone",
     replace(class_adversarial, "soft_cross_entropy", _classes_alone)),
    ("fada", "domains swapped for the generator", replace(class_adversarial.ClassAdversarial, "_loss", _as_target)),
    ("daformer", "distance everywhere", replace(feature_distance, "cells_of", _everywhere)),
    ("daformer", "student is its own reference", replace(ForwardPass, "pretrained_z", lambda self: self.z("source"))),
    ("mrm", "nothing masked", replace(ForwardPass, "rebuild", lambda self, features, masked: features)),
    ("mrm", "student teaches itself", replace(ForwardPass, "teacher_logits", _student_teaches)),
    ("self_training", "nothing pasted",
     replace(self_training, "class_mix_mask", lambda label, *_: torch.zeros_like(label, dtype=torch.bool))),
]  # fmt: skip

SPLIT: list[tuple[str, str, Patch]] = [
    ("source_only", "pixels averaged over the batch", replace(segmentation, "cross_entropy", _batch_mean)),
    ("cyclegan", "each process has a pool of its own", replace(ImagePool, "exchange", _own_images_only)),
    ("i2i_gta5", "draws by index in the process's batch", replace(draw, "uniform", _process_draws)),
    ("mrm", "masks by index in the process's batch", replace(draw, "uniform", _process_draws)),
    ("self_training", "trust shared over the batch",
     replace(self_training.SelfTraining, "_confidence", _whole_batch_share)),
]  # fmt: skip


def _words(value: object) -> str:
    return value if isinstance(value, str) else "patched"


def _small_pool(name: str) -> dict[str, Any]:
    config = setting.method(name)
    if config["terms"].get("translation_adversarial", {}).get("pool"):
        config["terms"]["translation_adversarial"]["pool"] = 3
    return config


@pytest.mark.promise("published-losses")
@pytest.mark.parametrize(("name", "fault", "patch"), HAND_WRITTEN, ids=_words)
def test_fault_shows_against_the_hand_written_loss(
    name: str, fault: str, patch: Patch, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare(name)
    patch(monkeypatch)
    with pytest.raises((AssertionError, RuntimeError)) as caught:
        compare(name)
    # Other than by the comparison, a fault may only show as a backward pass that runs into the generators' graph.
    assert caught.type is AssertionError or "backward through the graph a second time" in str(caught.value)


@pytest.mark.parametrize(("name", "fault", "patch"), SPLIT, ids=_words)
def test_fault_shows_against_the_split_batch(
    name: str, fault: str, patch: Patch, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = [setting.batch(start=4 * step) for step in range(3)]
    patch(monkeypatch)
    with pytest.raises(AssertionError):
        split.compare(_small_pool(name), batches)
