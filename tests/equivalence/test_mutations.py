"""Faults planted in segda: each must be caught by the comparisons of this folder."""

import dataclasses
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from segda.batch import Domain, other
from segda.losses import adversarial, contrastive
from segda.losses.distillation import softened_divergence
from segda.objectives import class_mix, domain_adversary, draw, mixing_term
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.image_pool import ImagePool
from segda.objectives.objective import Objective
from segda.objectives.terms import (
    class_adversarial,
    cycle,
    distillation,
    feature_adversarial,
    feature_distance,
    masked_consistency,
    minimum_class_confusion,
    patch_contrast,
    self_training,
)
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


def _student_teaches(self: ForwardPass, mirrored: bool = False) -> Tensor:
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


def _process_share(self: Any, p: ForwardPass) -> tuple[Tensor, Tensor]:
    label, share = _own_share(self, p)
    return label, share.mean().expand_as(share)


def _own_share(self: Any, p: ForwardPass) -> tuple[Tensor, Tensor]:
    return _confidence(dataclasses.replace(self, confidence="image"), p)


def _all_kept(self: Any, p: ForwardPass) -> Tensor:
    return torch.ones(1, 1, 1, 1, dtype=torch.bool)


_kept = masked_consistency.MaskedConsistency._kept


def _larger_blocks(self: Any, p: ForwardPass) -> Tensor:
    return _kept(dataclasses.replace(self, block=0.25), p)


_class_mix_mask = class_mix.class_mix_mask


def _of_each_image(*arguments: Any, gather: Any) -> Tensor:
    return _class_mix_mask(*arguments)


def _without_factor(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    return softened_divergence(student / temperature, teacher / temperature, 1.0)


def _student_judges(self: ForwardPass, name: str, image: Tensor, domain: Domain) -> Tensor:
    return self.predict(image, domain)


def _unweighted_confusion(logits: Tensor, temperature: float) -> Tensor:
    p = (logits / temperature).softmax(dim=1)
    return 1 - (p.square().sum(dim=0) / p.sum(dim=0)).mean()


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


def _warmer(query: Tensor, key: Tensor, temperature: float) -> Tensor:
    return _contrast(query, key, 1.01 * temperature)


def _whole_batch_contrast(query: Tensor, key: Tensor, temperature: float) -> Tensor:
    return _contrast(query.flatten(0, 1)[None], key.flatten(0, 1)[None], temperature)


_contrast = contrastive.patch_contrast

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
    ("cut", "another temperature", replace(patch_contrast, "patch_contrast", _warmer)),
    ("cut", "negatives from other images", replace(patch_contrast, "patch_contrast", _whole_batch_contrast)),
    ("fastcut", "nothing mirrored", replace(ForwardPass, "uniform", lambda self, purpose, domain: torch.ones(4))),
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
     replace(mixing_term, "class_mix_mask", lambda label, *_, **__: torch.zeros_like(label, dtype=torch.bool))),
    ("dacs", "each image trusted by itself", replace(self_training.SelfTraining, "_confidence", _own_share)),
    ("mic", "nothing hidden", replace(masked_consistency.MaskedConsistency, "_kept", _all_kept)),
    ("mic", "blocks of another size", replace(masked_consistency.MaskedConsistency, "_kept", _larger_blocks)),
    ("mic", "classes of each image", replace(mixing_term, "class_mix_mask", _of_each_image)),
    ("distillation", "softened without its factor", replace(distillation, "softened_divergence", _without_factor)),
    ("distillation", "the student judges", replace(ForwardPass, "judge_logits", _student_judges)),
    ("mcc", "samples weigh the same", replace(minimum_class_confusion, "class_confusion", _unweighted_confusion)),
]  # fmt: skip

SPLIT: list[tuple[str, str, Patch]] = [
    ("source_only", "pixels averaged over the batch", replace(segmentation, "cross_entropy", _batch_mean)),
    ("cyclegan", "each process has a pool of its own", replace(ImagePool, "exchange", _own_images_only)),
    ("i2i_gta5", "draws by index in the process's batch", replace(draw, "uniform", _process_draws)),
    ("mrm", "masks by index in the process's batch", replace(draw, "uniform", _process_draws)),
    ("self_training", "trust shared over the batch",
     replace(self_training.SelfTraining, "_confidence", _whole_batch_share)),
    ("dacs", "trust shared over a process's part",
     replace(self_training.SelfTraining, "_confidence", _process_share)),
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
