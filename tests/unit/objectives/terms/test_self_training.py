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
    for options in ({"mix": True}, *({f"ignore_{side}": 0.1} for side in ("top", "bottom", "left", "right"))):
        assert needs(options) == {"encoder", "head", "teacher", "label_map"}


def test_of_one_label_an_image_the_confident_images_count(stand_in: Any, task: Any, batch_of: Any) -> None:
    p, term = self_training({"threshold": 0.5}, stand_in, task, batch_of())
    teacher, student = (logits.mean(dim=(2, 3), keepdim=True) for logits in (p.teacher_logits(), p.logits("target")))
    p.teacher_logits = lambda mirrored: teacher
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


def test_columns_without_pseudo_labels(stand_in: Any, task: Any, batch_of: Any) -> None:
    p, term = self_training({"threshold": 0.0, "ignore_left": 0.1, "ignore_right": 0.4}, stand_in, task, batch_of())
    each = functional.cross_entropy(p.logits("target"), p.teacher_logits().argmax(1), reduction="none")
    torch.testing.assert_close(term.generator(p), each[:, :, 1:6].sum() / each.numel())


def test_confidence_of_the_batch_is_that_of_all_processes(stand_in: Any, task: Any, batch_of: Any) -> None:
    p, term = self_training({"threshold": 0.5, "confidence": "batch"}, stand_in, task, batch_of())
    p.gather = lambda share: torch.cat([share, torch.ones(6)])
    confidence, pseudo = p.teacher_logits().softmax(1).max(1)
    share = ((confidence > 0.5).float().mean(dim=(1, 2)).sum() + 6) / 8
    each = functional.cross_entropy(p.logits("target"), pseudo, reduction="none")
    torch.testing.assert_close(term.generator(p), share * each.mean())
    torch.testing.assert_close(term.measures(p)["trusted"], share)


def test_the_teacher_also_sees_the_mirror_image(stand_in: Any, task: Any, batch_of: Any) -> None:
    p, term = self_training({"threshold": 0.0, "flip": True}, stand_in, task, batch_of())
    teacher = sharp(stand_in).modules

    def seen(image: Tensor) -> Tensor:
        return teacher["head"](teacher["encoder"](image)[-1]).softmax(1)

    image = p.image("target")
    mean = (seen(image) + seen(image.flip(-1)).flip(-1)) / 2
    torch.testing.assert_close(term.taught_logits(p).softmax(1), mean)
    assert (mean.argmax(1) != seen(image).argmax(1)).any()
    torch.testing.assert_close(term.generator(p), functional.cross_entropy(p.logits("target"), mean.argmax(1)))


def test_pasted_pixels_weigh_as_their_true_class_does(stand_in: Any, task: Any, batch_of: Any) -> None:
    options = {"mix": True, "class_weights": True, "threshold": 0.0, "ignore_top": 0.5, "ignore_bottom": 0.5 - 1e-9}
    p, term = self_training(options, stand_in, task, batch_of())
    with pytest.raises(ConfigError, match=r"terms\.self_training\.class_weights: the task has none; give `task"):
        term.generator(p)
    task.class_weights = [1.0, 2.0, 4.0, 8.0]
    p, term = self_training(options, stand_in, task, batch_of())
    p.label()[0, 0] = 255  # never pasted
    image, label, weight, pasted = term.mixed(p, term.pseudo_labels(p))
    assert not pasted[0, 0].any()
    each = functional.cross_entropy(p.predict(image, "target"), label.where(pasted, 0), reduction="none")
    torch.testing.assert_close(term.generator(p), (each * 2.0**label * pasted).mean())


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


def test_hue_is_a_fifth_of_the_jitter_unless_given_and_colour_may_go(stand_in: Any, task: Any, batch_of: Any) -> None:
    def seen(options: dict[str, Any]) -> Tensor:
        p, term = self_training(options, stand_in, task, batch_of())
        return term.augmented(p, p.image("target"))

    assert torch.equal(seen({"jitter": 0.5}), seen({"jitter": 0.5, "hue": 0.1}))
    assert not torch.equal(seen({"jitter": 0.5}), seen({"jitter": 0.5, "hue": 0.5}))
    assert not torch.equal(seen({}), seen({"hue": 0.5}))
    grey = seen({"grey": 1.0})
    torch.testing.assert_close(grey, grey[:, :1].expand(-1, 3, -1, -1))


def test_crops_that_cannot_be_mixed_are_named(stand_in: Any, task: Any, batch_of: Any) -> None:
    batch = batch_of()
    batch = batch._replace(target=batch.target._replace(image=batch.target.image[..., :4]))
    p, term = self_training({"mix": True}, stand_in, task, batch)
    with pytest.raises(ConfigError, match="equal crops"):
        term.generator(p)
