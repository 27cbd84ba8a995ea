from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from segda.errors import ConfigError
from segda.objectives.objective import Objective, build

PLAIN = {"weight": 1.0, "mix": False, "jitter": 0.0, "blur": 0.0}


def sharp(stand_in: Any) -> Any:
    """A teacher whose confidence varies between pixels."""
    teacher = stand_in()
    for module in teacher.modules.values():
        module.requires_grad_(False)
    teacher.modules["head"].weight.mul_(8)
    return teacher


def self_training(options: dict[str, Any], stand_in: Any, task: Any, batch: Any) -> Any:
    terms = build({"self_training": {**PLAIN, **options}})
    objective = Objective(terms, stand_in(), task, seed=0, teacher=sharp(stand_in))
    return objective.forward(batch, 0.5), terms["self_training"]


def test_labels_for_every_pixel_are_needed_where_pixels_are_mixed_or_rows_left_out() -> None:
    def needs(options: dict[str, Any]) -> set[str]:
        return build({"self_training": {**PLAIN, **options}})["self_training"].needs()

    assert needs({}) == {"encoder", "head", "teacher"}
    for options in ({"mix": True}, {"ignore_top": 0.1}, {"ignore_bottom": 0.1}):
        assert needs(options) == {"encoder", "head", "teacher", "label_map"}


def test_of_one_label_an_image_the_confident_images_count(stand_in: Any, task: Any, batch_of: Any) -> None:
    p, term = self_training({"threshold": 0.5}, stand_in, task, batch_of())
    teacher, student = (logits.mean(dim=(2, 3), keepdim=True) for logits in (p.teacher_logits(), p.logits("target")))
    p.teacher_logits = lambda: teacher
    p.predict = lambda image, domain: student
    confidence, pseudo = teacher[:, :, 0, 0].softmax(1).max(1)
    threshold = float(confidence.mean())
    trusted = confidence > threshold
    term = build({"self_training": {**PLAIN, "threshold": threshold}})["self_training"]
    each = functional.cross_entropy(student[:, :, 0, 0], pseudo, reduction="none")
    torch.testing.assert_close(term.generator(p), (trusted * each).mean())
    assert 0 < trusted.sum() < len(trusted)


def test_rows_without_pseudo_labels(stand_in: Any, task: Any, batch_of: Any) -> None:
    p, term = self_training({"threshold": 0.0, "ignore_top": 0.25, "ignore_bottom": 0.5}, stand_in, task, batch_of())
    pseudo = p.teacher_logits().argmax(1)
    each = functional.cross_entropy(p.logits("target"), pseudo, reduction="none")
    torch.testing.assert_close(term.generator(p), each[:, 2:4].sum() / each.numel())


def test_mixing_pastes_source_pixels_with_full_weight_even_onto_ignored_rows(
    stand_in: Any, task: Any, batch_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"mix": True, "ignore_top": 0.5, "ignore_bottom": 0.5 - 1e-9, "threshold": 0.0}
    p, term = self_training(options, stand_in, task, batch_of())
    inputs: list[Tensor] = []
    predict = p.predict
    monkeypatch.setattr(p, "predict", lambda image, domain: inputs.append(image) or predict(image, domain))
    loss = term.generator(p)
    mixed = inputs[0]
    pasted = (mixed == p.image("source")).all(dim=1)
    original = (mixed == p.image("target")).all(dim=1)
    assert (pasted ^ original).all()
    for image, label in zip(pasted, p.label(), strict=True):
        assert torch.equal(image, torch.isin(label, label[image])), "classes are pasted whole"
    each = functional.cross_entropy(predict(mixed, "target"), p.label(), reduction="none")
    torch.testing.assert_close(loss, (each * pasted).mean())


def test_the_student_sees_an_augmented_image_the_teacher_the_plain_one(
    stand_in: Any, task: Any, batch_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def input_of_student(batch: Any) -> Tensor:
        p, term = self_training({"jitter": 0.2, "blur": 1.0}, stand_in, task, batch)
        inputs: list[Tensor] = []
        predict = p.predict
        monkeypatch.setattr(p, "predict", lambda image, domain: inputs.append(image) or predict(image, domain))
        term.generator(p)
        torch.testing.assert_close(p.teacher_logits(), sharp(stand_in).modules["head"](
            sharp(stand_in).modules["encoder"](batch.target.image)[-1]
        ))  # fmt: skip
        return inputs[0]

    batch = batch_of(4)
    whole = input_of_student(batch)
    assert not torch.allclose(whole, batch.target.image, atol=1e-2)
    assert whole.abs().max() <= 1
    half = batch._replace(
        source=batch.source._replace(
            image=batch.source.image[2:], label=batch.source.label[2:], position=batch.source.position[2:]
        ),
        target=batch.target._replace(image=batch.target.image[2:], position=batch.target.position[2:]),
    )
    torch.testing.assert_close(input_of_student(half), whole[2:])


def test_crops_that_cannot_be_mixed_are_named(stand_in: Any, task: Any, batch_of: Any) -> None:
    batch = batch_of()
    batch = batch._replace(target=batch.target._replace(image=batch.target.image[..., :4]))
    p, term = self_training({"mix": True}, stand_in, task, batch)
    with pytest.raises(ConfigError, match="equal crops"):
        term.generator(p)
