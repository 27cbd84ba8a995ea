"""The methods that add to self-training, once more in plain torch; see `hand_written`."""

import torch
from torch import Tensor
from torch.nn import functional

from segda.batch import Batch
from segda.data.augmentation.photometry import Photometry
from tests.equivalence.hand_written import Hand, Modules, ordinary, self_training, stream


def daformer(modules: Modules, batch: Batch, teacher: Modules | None) -> Hand:
    """Of the classes a, b, c and d, b and d are things; every position of z lies over 8x8 pixels."""
    z = modules["encoder"](batch.source.image)[-1]
    reference = teacher["pretrained"](batch.source.image)[-1].detach()
    total = torch.zeros((), dtype=torch.float64)
    for index, label in enumerate(batch.source.label):
        distances = []
        for row in range(z.shape[2]):
            for column in range(z.shape[3]):
                cell = label[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
                if any((cell == thing).sum() >= 0.75 * 64 for thing in (1, 3)):
                    difference = z[index, :, row, column] - reference[index, :, row, column]
                    distances.append(difference.pow(2).sum().sqrt())
        total = total + (sum(distances) / len(distances) if distances else 0)
    augment = Photometry(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.04, blur=1.15)
    adapted = self_training(modules, batch, teacher, augment).generator
    return ordinary(adapted + 0.005 * total / len(z), None, modules)


def mrm(modules: Modules, batch: Batch, teacher: Modules | None) -> Hand:
    y = batch.target.image
    features = modules["encoder"](y)
    masked = torch.stack([
        torch.rand(features[-1].shape[-2:], generator=torch.Generator().manual_seed(
            stream(f"masked_modelling/target/{position}")
        )) < 0.4
        for position in batch.target.position.tolist()
    ])  # fmt: skip
    rebuilt = [*features[:-1], _rebuilt(modules, features[-1], masked)]
    size = y.shape[-2:]
    student = functional.interpolate(modules["head"](rebuilt), size=size, mode="bilinear").log_softmax(1)
    taught = functional.interpolate(teacher["head"](teacher["encoder"](y)), size=size, mode="bilinear").softmax(1)
    confidence, pseudo = taught.max(1)
    share = (confidence > 0.968).double().mean((1, 2))
    again = -(share[:, None, None] * student.gather(1, pseudo[:, None])[:, 0]).mean()
    adapted = self_training(modules, batch, teacher).generator
    return ordinary(adapted + again, None, modules)


def _rebuilt(modules: Modules, z: Tensor, masked: Tensor) -> Tensor:
    """One block of two heads, eight numbers a position, normalised before each part; positions one by one."""
    weights = dict(modules["rebuilder"].named_parameters())

    def linear(name: str, x: Tensor) -> Tensor:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def normalised(name: str, x: Tensor) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        scaled = centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    result = z.clone()
    for index, (image, hidden) in enumerate(zip(z, masked, strict=True)):
        places = [(row, column) for row in range(z.shape[2]) for column in range(z.shape[3])]
        tokens = torch.stack([
            (weights["mask_token"] if hidden[place] else linear("embedding", image[:, place[0], place[1]]))
            + _position(*place)
            for place in places
        ])  # fmt: skip
        inner = normalised("blocks.0.norm1", tokens)
        joint = inner @ weights["blocks.0.self_attn.in_proj_weight"].T + weights["blocks.0.self_attn.in_proj_bias"]
        heads = []
        for head in range(2):
            query, key, value = (joint[:, 8 * part + 4 * head : 8 * part + 4 * head + 4] for part in range(3))
            heads.append((query @ key.T / 2).softmax(1) @ value)
        tokens = tokens + linear("blocks.0.self_attn.out_proj", torch.cat(heads, 1))
        hidden_layer = functional.gelu(linear("blocks.0.linear1", normalised("blocks.0.norm2", tokens)))
        tokens = normalised("norm", tokens + linear("blocks.0.linear2", hidden_layer))
        new = normalised("projections.0.1", linear("projections.0.0", tokens))
        for place, token in zip(places, new, strict=True):
            if hidden[place]:
                result[index, :, place[0], place[1]] = token
    return result


def _position(row: int, column: int) -> Tensor:
    """Sine and cosine at two rates, 1 and 1/100, of the row and then of the column."""
    angles = [torch.tensor([place * 1.0, place / 100], dtype=torch.float64) for place in (row, column)]
    return torch.cat([part for angle in angles for part in (angle.sin(), angle.cos())])
