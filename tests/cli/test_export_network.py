"""`segda export-network`: the files compute what the run's networks compute, or are not written."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from packaging.version import Version

from pipelines.__main__ import main
from segda.deployment import comparison, torch_export
from tests.cli.conftest import Refused

onnxruntime = pytest.importorskip("onnxruntime")

SIZES = [(36, 48), (64, 64), (97, 33)]
traces = pytest.mark.skipif(Version(torch.__version__) < Version("2.9"), reason="torch before 2.9 traces no free sizes")


@pytest.fixture(autouse=True)
def finished(data: Path) -> Path:
    """The run `job` with `source` finished."""
    assert main(["job.yaml", "--only", "source"]) == 0
    return next(Path("runs").glob("supervise-*"))


def images(size: tuple[int, int], count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).random((count, 3, *size), dtype=np.float32)


@traces
def test_all_formats_agree_with_one_another_at_every_size(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("network.onnx", "network.pt2", "network.pt"):
        assert main(["export-network", "job", "-o", name]) == 0
    said = capsys.readouterr().out
    assert "network.onnx: 'source only' of supervise-" in said
    assert "any batch, height and width" in said
    assert "equal to PyTorch at 1x3x64x96, 3x3x75x130" in said
    session = onnxruntime.InferenceSession("network.onnx")
    assert session.get_inputs()[0].shape == ["batch", 3, "height", "width"]
    extra = {"segda.json": ""}
    program = torch.export.load("network.pt2", extra_files=extra).module()
    script = torch.jit.load("network.pt")
    for size in SIZES:
        batch = images(size)
        [by_onnx] = session.run(None, {"image": batch})
        with torch.inference_mode():
            by_program, by_script = (network(torch.from_numpy(batch)).numpy() for network in (program, script))
        assert by_onnx.shape == (2, 19, *size)
        assert np.allclose(by_onnx, by_program, atol=1e-4)
        assert np.allclose(by_script, by_program, atol=1e-4)
    for content in (session.get_modelmeta().custom_metadata_map["segda"], extra["segda.json"]):
        facts = json.loads(content)
        assert facts["classes"][0] == "road"
        assert facts["palette"][0] == [128, 64, 128]
        assert facts["row"] == "source only"
        assert facts["input"] == {
            "shape": ["B", 3, "H", "W"], "channels": "RGB", "type": "float32", "range": [0, 1]
        }  # fmt: skip
        assert max(each["share"] for each in facts["differences"]) <= facts["tolerance"]
    assert json.loads(session.get_modelmeta().custom_metadata_map["segda"])["versions"]["opset"] >= 18


@traces
def test_predictions_are_those_of_segda_predict() -> None:
    from PIL import Image

    pixels = np.random.default_rng(1).integers(0, 256, (36, 48, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("photo.png")
    assert main(["predict", "job", "photo.png", "-o", "seen", "--kind", "ids", "--cpu"]) == 0
    assert main(["export-network", "job", "-o", "network.onnx", "--uint8"]) == 0
    [logits] = onnxruntime.InferenceSession("network.onnx").run(None, {"image": pixels.transpose(2, 0, 1)[None]})
    assert (logits.argmax(1)[0] == np.asarray(Image.open("seen/ids/photo.png"))).mean() > 0.999


@traces
def test_a_translator_makes_images() -> None:
    assert main(["job.yaml", "--only", "translate"]) == 0
    assert main(["export-network", "job", "--translator", "-o", "translator.onnx", "--uint8"]) == 0
    session = onnxruntime.InferenceSession("translator.onnx")
    for size in SIZES:
        batch = (images(size) * 255).astype(np.uint8)
        [translated] = session.run(None, {"image": batch})
        assert translated.shape == batch.shape
        assert translated.dtype == np.uint8


@traces
def test_smaller_networks_are_scored(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--measure", "cityscapes", "--split", "val"]
    assert main(["export-network", "job", "-o", "half.onnx", "--precision", "fp16", *options]) == 0
    assert main(["export-network", "job", "-o", "bytes.onnx", "--precision", "int8", *options, "--per-class"]) == 0
    said = capsys.readouterr().out
    assert "images of cityscapes, split val: PyTorch " in said
    assert "  road: PyTorch " in said
    assert "of the predictions are the same" in said
    facts = json.loads(onnxruntime.InferenceSession("bytes.onnx").get_modelmeta().custom_metadata_map["segda"])
    assert facts["precision"] == "int8"
    assert facts["agreement"] >= comparison.LEAST_AGREEMENT
    assert facts["scores"]["measure"] == "mean_iou"


@traces
def test_a_file_that_computes_something_else_is_not_written(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_export.TorchExport, "__call__", lambda self, image: 1.01 * self._module(image))
    line = refused("export-network", "job", "-o", "network.pt2", finished=1)
    assert "differs by" in line
    assert "nothing is written" in line
    assert not list(Path().glob("*network.pt2*"))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["-o", "network.tflite"], "no format ends in '.tflite'"),
        (["-o", "network.pt2", "--precision", "int8"], "only for segmenting and classifying networks in .onnx files"),
        (["-o", "network.onnx", "--split", "val"], "--split: says how to --measure"),
        (["-o", "network.onnx", "--translator"], "no finished stage with a translator"),
        (["-o", "network.onnx", "--translator", "--measure", "cityscapes"], "a translator has no classes"),
    ],
)
def test_wrong_options_are_refused(words: list[str], expected: str, refused: Refused) -> None:
    assert expected in refused("export-network", "job", *words, finished=1)


def test_a_missing_package_names_the_extra(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    assert "pip install 'segda[onnx]'" in refused("export-network", "job", "-o", "network.onnx", finished=1)
