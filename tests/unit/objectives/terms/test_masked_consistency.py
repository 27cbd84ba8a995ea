from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from segda.batch import DomainBatch
from segda.errors import ConfigError
from segda.networks.layers.imagenet_norm import ImagenetNorm
from segda.objectives.objective import Objective, build

PLAIN = {"weight": 1.0, "jitter": 0.0, "blur": 0.0, "threshold": 0.0}


def masked_consistency(options: dict[str, Any], stand_in: Any, task: Any, batch: Any) -> tuple[Any, Any, list[Tensor]]:
    """Forward pass, term, and what the student is shown."""
    terms = build({"masked_consistency": {**PLAIN, **options}})
    p = Objective(terms, stand_in(), task, seed=0, teacher=stand_in()).forward(batch, 0.5)
    shown: list[Tensor] = []
    predict = p.predict
    p.predict = lambda image, domain: shown.append(image) or predict(image, domain)
    return p, terms["masked_consistency"], shown


def test_the_student_infers_what_the_teacher_sees_in_the_whole_image(stand_in: Any, task: Any, batch_of: Any) -> None:
    p, term, shown = masked_consistency({"block": 0.25}, stand_in, task, batch_of())
    loss = term.generator(p)
    (image,) = shown
    assert not torch.equal(image, p.image("target"))
    teacher = p.teacher_logits(False).argmax(1)
    torch.testing.assert_close(loss, functional.cross_entropy(p.networks.classify(p.encode(image, "target")), teacher))


def test_blocks_are_squares_of_their_share_of_the_shorter_side(stand_in: Any, task: Any, batch_of: Any) -> None:
    """8x10 images: a quarter of 8 is 2 pixels, so 4x5 blocks."""
    p, term, shown = masked_consistency({"block": 0.25, "ratio": 0.5}, stand_in, task, batch_of())
    term.generator(p)
    hidden = (shown[0] == 0).all(dim=1)
    assert torch.equal(shown[0].where(hidden[:, None], p.image("target")), p.image("target").where(~hidden[:, None], 0))
    blocks = hidden.unflatten(2, (5, 2)).unflatten(1, (4, 2)).movedim(2, -1).flatten(-2)
    assert ((blocks == blocks[..., :1]).all() and 0 < hidden.float().mean() < 1).item()


def test_the_ratio_is_the_share_of_hidden_blocks_and_small_images_have_one(
    stand_in: Any, task: Any, batch_of: Any
) -> None:
    p, term, shown = masked_consistency({"block": 1 / 8, "ratio": 0.7}, stand_in, task, batch_of(40))
    term.generator(p)
    assert 0.67 < (shown[0] == 0).all(dim=1).float().mean() < 0.73
    p, term, shown = masked_consistency({"block": 1.0, "ratio": 0.7}, stand_in, task, batch_of(40))
    term.generator(p)
    assert {float(image.abs().sum() > 0) for image in shown[0]} == {0.0, 1.0}


def test_masks_follow_the_position_not_the_place_in_the_batch(stand_in: Any, task: Any, batch_of: Any) -> None:
    def shown(batch: Any) -> Tensor:
        p, term, images = masked_consistency({}, stand_in, task, batch)
        term.generator(p)
        return images[0]

    batch = batch_of(4)

    def half(samples: DomainBatch) -> DomainBatch:
        label = None if samples.label is None else samples.label[2:]
        return DomainBatch(samples.image[2:], label, samples.position[2:], samples.key[2:])

    whole = shown(batch)
    assert torch.equal(shown(batch._replace(source=half(batch.source), target=half(batch.target))), whole[2:])
    assert len({tuple((image == 0).flatten().tolist()) for image in whole}) == 4


def test_hidden_pixels_have_the_mean_colour_of_the_encoder(stand_in: Any, task: Any, batch_of: Any) -> None:
    p, term, shown = masked_consistency({"ratio": 0.99}, stand_in, task, batch_of())
    norm = ImagenetNorm(mean=(0.5, 0.25, 0.125))
    p.networks.modules["encoder"].norm = norm
    term.generator(p)
    hidden = (shown[0] == torch.tensor([0.0, -0.5, -0.75]).view(3, 1, 1)).all(dim=1)
    assert hidden.float().mean() > 0.9
    assert norm(shown[0]).movedim(1, -1)[hidden].abs().max() == 0


def test_pixels_may_weigh_by_their_probability(stand_in: Any, task: Any, batch_of: Any) -> None:
    options = {"confidence": "probability", "threshold": 0.968}
    p, term, shown = masked_consistency(options, stand_in, task, batch_of())
    loss = term.generator(p)
    confidence, label = p.teacher_logits(False).softmax(1).max(1)
    logits = p.networks.classify(p.encode(shown[0], "target"))
    each = functional.cross_entropy(logits, label, reduction="none")
    torch.testing.assert_close(loss, (confidence * each).mean())
    torch.testing.assert_close(term.measures(p)["trusted"], confidence.mean())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ratio": 1.0}, r"ratio: found 1\.0, expected a probability of at least 0, below 1"),
        ({"block": 0.0}, r"block: found 0\.0, expected a share above 0 and at most 1"),
        ({"block": 64.0}, r"block: found 64\.0, expected a share above 0 and at most 1"),
        ({"hue": 0.6}, r"hue: found 0\.6, expected a number from 0 to 0\.5"),
        ({"grey": -0.1}, r"grey: found -0\.1, expected a number from 0 to 1"),
        ({"confidence": "probability"}, r"threshold: confidence 'probability' has none; drop it, or use 'image'"),
        ({"ignore_left": 0.5, "ignore_right": 0.5}, r": found ignore_left 0\.5, ignore_right 0\.5; expected shares"),
    ],
)
def test_what_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=rf"terms\.masked_consistency\.?{message}"):
        build({"masked_consistency": {**PLAIN, **options}})
