import pytest
import torch

from segda.batch import Batch
from segda.errors import ConfigError
from segda.networks import networks
from segda.networks.two_scales import cut
from segda.objectives import objective as objectives
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.objective import Objective
from segda.tasks.segmentation import build as build_task
from tests.equivalence import setting

TERMS = {"classification": {"weight": 0.9}, "detail": {"weight": 0.1}}


def _networks() -> networks.Networks:
    torch.manual_seed(0)
    built = networks.build(
        {"encoder", "head", "detail"}, classes=setting.CLASSES, tied=True,
        encoder={"name": "small", "width": 3, "blocks": 1, "norm": "none"},
        head={"name": "hrda", "head": {"name": "small", "width": 4, "norm": "none"}, "width": 4, "norm": "none"},
    )  # fmt: skip
    for module in built.modules.values():
        module.double()
    return built


def _pass(built: networks.Networks, samples: Batch) -> tuple[Objective, ForwardPass]:
    objective = Objective(objectives.build(TERMS), built, build_task(setting.SPACE), seed=setting.SEED)
    return objective, objective.forward(samples, setting.PROGRESS)


def test_the_loss_of_both_scales_and_of_the_crop_by_hand() -> None:
    built, samples = _networks(), setting.batch()
    objective, p = _pass(built, samples)
    ours = sum(objective.generator_losses(p).values())
    corners = p.corners("source")
    assert len(set(corners)) > 1
    head, encoder = built.modules["head"], built.modules["encoder"]
    crops = torch.stack([
        image[:, top : top + 16, left : left + 16]
        for image, (top, left) in zip(samples.source.image, corners, strict=True)
    ])  # fmt: skip
    detail = head(encoder(crops))
    context = encoder(torch.nn.functional.avg_pool2d(samples.source.image, 2))
    together = head(context, [detail], [corners])
    label = samples.source.label
    assert label is not None
    by_hand = 0.9 * p.task.supervised_loss(together, label) + 0.1 * p.task.supervised_loss(detail, cut(label, corners))
    torch.testing.assert_close(ours, by_hand, rtol=1e-9, atol=1e-12)
    gradients = [
        torch.autograd.grad(loss, [each for module in (encoder, head) for each in module.parameters()])
        for loss in (ours, by_hand)
    ]
    for one, two in zip(*gradients, strict=True):
        assert one.any()
        torch.testing.assert_close(one, two, rtol=1e-7, atol=1e-11)


def test_the_detail_alone_trains_encoder_and_head_but_not_the_attention() -> None:
    built = _networks()
    objective, p = _pass(built, setting.batch())
    objective.generator_losses(p)["detail"].backward()
    trained = {
        f"{name}.{key}".split(".")[0 if name == "encoder" else 1]
        for name, module in built.modules.items()
        for key, parameter in module.named_parameters()
        if parameter.grad is not None and parameter.grad.any()
    }
    assert trained == {"encoder", "head"}


def test_crops_depend_on_the_samples_position_alone() -> None:
    built, whole = _networks(), setting.batch()
    corners = _pass(built, whole)[1].corners("source")
    parts = [_pass(built, setting.part(whole, rows))[1] for rows in (slice(0, 1), slice(1, 4))]
    assert [corner for p in parts for corner in p.corners("source")] == corners
    losses = [objective.generator_losses(p)["detail"] for objective, p in (
        _pass(built, setting.part(whole, slice(index, index + 1))) for index in range(4)
    )]  # fmt: skip
    objective, p = _pass(built, whole)
    torch.testing.assert_close(torch.stack(losses).mean(), objective.generator_losses(p)["detail"])


def test_the_teacher_slides_and_the_student_predicts_its_crop() -> None:
    built, samples = _networks(), setting.batch()
    objective, p = _pass(built, samples)
    p.teacher = built
    image = p.image("target")
    assert torch.equal(p.teacher_logits(), built.classify(built.encode(image, "target")))
    assert torch.equal(p.predict(image, "target"), p.logits("target"))
    assert not torch.equal(p.logits("target"), p.teacher_logits())


def test_a_size_that_two_crops_do_not_divide_is_refused() -> None:
    samples = setting.batch()
    odd = Batch(samples.source._replace(image=samples.source.image[..., :24]), None)
    with pytest.raises(ConfigError, match="height and width divide by 16, found 32x24"):
        _pass(_networks(), odd)[1].logits("source")
