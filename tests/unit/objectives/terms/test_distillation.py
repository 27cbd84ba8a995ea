from typing import Any

import pytest
import torch
from torch.nn import functional

from segda.errors import ConfigError
from segda.objectives.objective import Objective, build
from tests.unit.objectives.terms.test_self_training import sharp

PLAIN = {"weight": 1.0, "mix": False, "jitter": 0.0, "blur": 0.0}


def distillation(options: dict[str, Any], stand_in: Any, task: Any, batch: Any) -> Any:
    terms = build({"distillation": {**PLAIN, **options}})
    objective = Objective(terms, stand_in(), task, seed=0, judge=sharp(stand_in))
    return objective.forward(batch, 0.5), terms["distillation"]


def judged(p: Any, domain: str) -> torch.Tensor:
    return p.judge.classify(p.judge.encode(p.image(domain), domain)).detach()


def divergence(student: torch.Tensor, judge: torch.Tensor, temperature: float) -> torch.Tensor:
    p = (judge / temperature).softmax(1)
    return temperature**2 * (p * (p.log() - (student / temperature).log_softmax(1))).sum(1)


def test_a_judge_teaches_and_no_moving_average(stand_in: Any, task: Any) -> None:
    assert build({"distillation": PLAIN})["distillation"].needs() == {"encoder", "head", "judge"}
    with pytest.raises(ConfigError, match=r"terms\.distillation: needs 'judge'"):
        Objective(build({"distillation": PLAIN}), stand_in(), task, seed=0, teacher=stand_in())


@pytest.mark.parametrize("soft", [0.0, 0.25, 1.0])
def test_labels_and_softened_predictions(stand_in: Any, task: Any, batch_of: Any, soft: float) -> None:
    p, term = distillation({"soft": soft, "temperature": 3.0}, stand_in, task, batch_of())
    logits, judge = p.logits("target"), judged(p, "target")
    hard = functional.cross_entropy(logits, judge.argmax(1))
    expected = (1 - soft) * hard + soft * divergence(logits, judge, 3.0).mean()
    torch.testing.assert_close(term.generator(p), expected)


def test_pasted_pixels_have_their_labels_alone(stand_in: Any, task: Any, batch_of: Any) -> None:
    p, term = distillation({"soft": 1.0, "mix": True}, stand_in, task, batch_of())
    predict, shown = p.predict, []
    p.predict = lambda image, domain: shown.append(image) or predict(image, domain)
    loss = term.generator(p)
    pasted = (shown[0] == p.image("source")).all(dim=1)
    logits = predict(shown[0], "target")
    true = functional.cross_entropy(logits, p.label(), reduction="none")
    expected = torch.where(pasted, true, divergence(logits, judged(p, "target"), 2.0)).mean()
    torch.testing.assert_close(loss, expected)
    assert 0 < pasted.float().mean() < 1


def test_source_images_are_learned_as_well(stand_in: Any, task: Any, batch_of: Any) -> None:
    p, term = distillation({}, stand_in, task, batch_of())
    target = term.generator(p)
    p, term = distillation({"source": True}, stand_in, task, batch_of())
    logits, judge = p.logits("source"), judged(p, "source")
    source = (functional.cross_entropy(logits, judge.argmax(1)) + divergence(logits, judge, 2.0).mean()) / 2
    torch.testing.assert_close(term.generator(p), target + source)


def test_the_judge_may_have_another_resolution(stand_in: Any, task: Any, batch_of: Any) -> None:
    p, term = distillation({"soft": 1.0}, stand_in, task, batch_of())
    encode = p.judge.encode
    p.judge.encode = lambda image, domain: [functional.avg_pool2d(each, 2) for each in encode(image, domain)]
    judge = functional.interpolate(judged(p, "target"), size=(8, 10), mode="bilinear")
    torch.testing.assert_close(term.generator(p), divergence(p.logits("target"), judge, 2.0).mean())


@pytest.mark.parametrize("source", [False, True])
def test_the_student_sees_smaller_images_than_the_judge(stand_in: Any, task: Any, batch_of: Any, source: bool) -> None:
    p, term = distillation({"soft": 1.0, "student_scale": 0.5, "source": source}, stand_in, task, batch_of())
    expected = torch.tensor(0.0)
    for domain in ("target", "source") if source else ("target",):
        logits = p.predict(functional.avg_pool2d(p.image(domain), 2), domain)
        taught = functional.interpolate(judged(p, domain), scale_factor=0.5, mode="bilinear")
        expected = expected + divergence(logits, taught, 2.0).mean()
    torch.testing.assert_close(term.generator(p), expected)


def test_pasted_labels_follow_the_students_size(stand_in: Any, task: Any, batch_of: Any) -> None:
    batch = batch_of()
    batch.source.label[:] = batch.source.label[:, ::2, ::2].repeat_interleave(2, 1).repeat_interleave(2, 2)
    p, term = distillation({"soft": 1.0, "mix": True, "student_scale": 0.5}, stand_in, task, batch)
    predict, shown = p.predict, []
    p.predict = lambda image, domain: shown.append(image) or predict(image, domain)
    loss = term.generator(p)
    source, label = functional.avg_pool2d(p.image("source"), 2), p.label()[:, ::2, ::2]
    pasted = torch.isclose(shown[0], source).all(dim=1)
    logits = predict(shown[0], "target")
    taught = functional.interpolate(judged(p, "target"), scale_factor=0.5, mode="bilinear")
    true = functional.cross_entropy(logits, label, reduction="none")
    torch.testing.assert_close(loss, torch.where(pasted, true, divergence(logits, taught, 2.0)).mean())
    assert 0 < pasted.float().mean() < 1


def test_all_pixels_weigh_as_their_class_does(stand_in: Any, task: Any, batch_of: Any) -> None:
    task.class_weights = [1.0, 2.0, 4.0, 8.0]
    p, term = distillation({"soft": 0.0, "mix": True, "class_weights": True}, stand_in, task, batch_of())
    predict, shown = p.predict, []
    p.predict = lambda image, domain: shown.append(image) or predict(image, domain)
    loss = term.generator(p)
    pasted = (shown[0] == p.image("source")).all(dim=1)
    label = torch.where(pasted, p.label(), judged(p, "target").argmax(1))
    each = functional.cross_entropy(predict(shown[0], "target"), label, reduction="none")
    torch.testing.assert_close(loss, (each * 2.0**label).mean())
    assert len(label[~pasted].unique()) > 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"soft": 1.5}, r"soft: found 1\.5, expected a share from 0 to 1"),
        ({"temperature": 0.0}, r"temperature: found 0\.0, expected a finite number above 0"),
        ({"student_scale": 0.0}, r"student_scale: found 0\.0, expected a share above 0, at most 1"),
        ({"threshold": 1.0}, r"threshold: found 1\.0, expected a confidence of at least 0, below 1"),
    ],
)
def test_what_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=rf"terms\.distillation\.{message}"):
        build({"distillation": {**PLAIN, **options}})
