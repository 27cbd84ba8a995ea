"""Networks and exported sets as folders and on the Hub: they predict the same, and what is damaged is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import segda
from pipelines import shared_folder
from pipelines.__main__ import main
from segda.errors import ArtefactError, ConfigError
from tests.pipelines import tiny
from tests.pipelines.test_from_python import camera, photograph
from tests.sharing import Hub


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    return Hub(tmp_path / "hub", monkeypatch)


@pytest.fixture
def shared(finished: Path, tmp_path: Path) -> Path:
    """The networks of the row `pixel`."""
    return segda.load("tiny", "pixel", "cpu", runs=finished).save_pretrained(tmp_path / "shared", license="apache-2.0")


def head_of(card: str) -> Any:
    return yaml.safe_load(card.split("---")[1])


def test_a_shared_folder_predicts_the_same(finished: Path, shared: Path) -> None:
    assert sorted(path.name for path in shared.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    before, after = segda.load("tiny", "pixel", "cpu", runs=finished), segda.load(shared, device="cpu")
    assert np.array_equal(before(photograph(finished)), after(photograph(finished)))
    assert (after.row, after.label_space, after.resize) == ("pixel", before.label_space, before.resize)
    again = after.save_pretrained(shared.parent / "again")
    assert all((again / each.name).read_bytes() == each.read_bytes() for each in shared.iterdir())


def test_the_card_says_where_the_networks_come_from(finished: Path, shared: Path) -> None:
    card = (shared / "README.md").read_text()
    head = head_of(card)
    assert head["license"] == "apache-2.0"
    assert (head["library_name"], head["pipeline_tag"]) == ("segda", "image-segmentation")
    assert head.get("datasets", []) == []  # generated data is no published set
    evaluation = json.loads((tiny.folder(finished, "evaluate") / "evaluation.json").read_text())["pixel"]
    assert f"| mIoU | {100 * evaluation['scores']['mean_iou']:.1f} |" in card
    assert f"| 18 | bicycle | {', '.join(map(str, (119, 11, 32)))} |" in card
    for text in ("apache-2.0", evaluation["protocol"]["data_fingerprint"], "segda.load(", "stage streets", "width: 4"):
        assert text in card
    assert str(finished) not in card
    assert str(finished) not in (shared / "config.json").read_text()


def test_the_hub_gives_what_it_was_sent(
    finished: Path, hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From Python and by the commands: share, load, predict, evaluate."""
    file, name = photograph(finished), "hf-hub:owner/network"
    predictor = segda.load("tiny", runs=finished, device="cpu")
    predictor.push_to_hub("owner/network", private=True)
    assert hub.private == {"owner/network": True}
    assert 'segda.load("hf-hub:owner/network")' in (hub.root / "model/owner/network/README.md").read_text()
    fetched = segda.load(name, device="cpu")
    assert np.array_equal(fetched(file), predictor(file))
    assert main(["share", "tiny", "--to", "hf-hub:owner/other", "--stage", "pixel", "--runs", str(finished)]) == 0
    capsys.readouterr()
    assert main(["load", name]) == 0
    said = capsys.readouterr().out
    assert "tiny: pixel+feature" in said
    assert str(hub.root / "model/owner/network") in said
    assert main(["predict", name, str(file), "-o", str(tmp_path / "out"), "--cpu"]) == 0
    assert (tmp_path / "out" / "ids" / f"{file.stem}.png").is_file()
    root = str(camera(finished))
    capsys.readouterr()
    assert main(["evaluate", name, "--data", "cityscapes", "--split", "val", "--root", root, "--json", "--cpu"]) == 0
    scored = json.loads(capsys.readouterr().out)["pixel+feature"]
    assert scored["protocol"]["network_fingerprints"].keys() == {"model.safetensors"}
    assert scored["confusion"] == segda.evaluate(
        "tiny", "cityscapes", "val", root=root, rows=["pixel+feature"], runs=finished, cpu=True
    )["pixel+feature"]["confusion"]  # fmt: skip


def test_what_cannot_be_fetched_is_one_line(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    for words, message in (
        (["load", "hf-hub:owner/nothing"], "404 Client Error"),
        (["load", "hf-hub:nothing"], "expected hf-hub:owner/name"),
        (["load", "."], "neither shared networks nor a data set"),
    ):
        assert main(words) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


def damaged(change: Callable[[Any], object]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        content = json.loads((folder / "config.json").read_text())
        change(content["_segda"])
        (folder / "config.json").write_text(json.dumps(content))

    return apply


@pytest.mark.parametrize(("change", "message"), [
    (damaged(lambda config: config.pop("networks")), "networks: missing"),
    (damaged(lambda config: config.update(format=2)), "format 2, this segda reads 1"),
    (damaged(lambda config: config.update(surprise=1)), "surprise: unknown key"),
    (damaged(lambda config: config["classes"].reverse()), "not those of label space 'cityscapes'"),
    (damaged(lambda config: config["networks"]["encoder"].update(width=5)), "expected .* by config.json"),
    (damaged(lambda config: config["networks"]["encoder"].update(name="os.path")), "code outside segda"),
    (damaged(lambda config: config["task"].update(labels={"classes": 3})), "damaged"),
    (lambda folder: (folder / "config.json").write_text("{}"), "no segda wrote it"),
    (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 100), "model.safetensors: damaged"),
])  # fmt: skip
def test_a_damaged_or_foreign_folder_is_refused(shared: Path, change: Callable[[Path], None], message: str) -> None:
    change(shared)
    with pytest.raises((ArtefactError, ConfigError), match=message) as caught:
        segda.load(shared, device="cpu")
    assert "\n" not in str(caught.value)


def test_weights_that_a_config_names_are_not_opened(shared: Path) -> None:
    """A stranger's config cannot make segda read another file."""
    damaged(lambda config: config["networks"]["encoder"].update(weights="/etc/passwd"))(shared)
    assert segda.load(shared, device="cpu").row == "pixel"


def test_a_folder_of_something_else_is_not_overwritten(finished: Path, shared: Path, tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "README.md").write_text("mine")
    predictor = segda.load("tiny", "oracle", "cpu", runs=finished)
    with pytest.raises(ArtefactError, match="name another folder"):
        predictor.save_pretrained(tmp_path / "project")
    assert (tmp_path / "project" / "README.md").read_text() == "mine"
    with pytest.raises(ArtefactError, match="not empty"):
        segda.load(shared, device="cpu").save_pretrained(tmp_path / "project")
    predictor.save_pretrained(shared)  # over networks that were shared before
    assert segda.load(shared, device="cpu").row == "oracle"
    assert "an upper bound" in (shared / "README.md").read_text()


def test_an_export_is_shared_with_its_card_alone(
    finished: Path, hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = tiny.folder(finished, "adapted")
    place = tmp_path / "data"
    assert main(["share", str(export), "--to", str(place), "--license", "cc-by-4.0"]) == 0
    assert {path.name for path in place.iterdir()} == {"README.md", "dataset.json", "images", "labels"}
    card = (place / "README.md").read_text()
    assert head_of(card)["license"] == "cc-by-4.0"
    assert "6 images of gta5" in card
    assert main(["check", str(place)]) == 0
    assert "no problems found" in capsys.readouterr().out
    own, copied = segda.dataset(export)[0], segda.dataset(place)[0]
    assert all((a == b).all() for a, b in zip(own, copied, strict=True))

    segda.share_dataset(place, "hf-hub:datasets/owner/set")
    repository = hub.root / "dataset/owner/set"
    names = {path.relative_to(place) for path in place.rglob("*")}
    assert {path.relative_to(repository) for path in repository.rglob("*")} == names
    fetched = segda.dataset("hf-hub:datasets/owner/set")[0]
    assert all((a == b).all() for a, b in zip(own, fetched, strict=True))
    assert main(["load", "hf-hub:datasets/owner/set"]) == 0
    assert "6 images, layout segda" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="hf-hub:datasets/owner/set"):
        segda.share_dataset(place, "hf-hub:owner/set")
    with pytest.raises(ArtefactError, match="not empty"):
        segda.share_dataset(export, str(place))
    next((place / "images").rglob("*.png")).write_bytes(b"")
    with pytest.raises(ArtefactError, match="differs; export the data set again"):
        segda.share_dataset(place, str(tmp_path / "other"))


def test_networks_of_two_encoders_are_shared_by_name(tmp_path: Path) -> None:
    from segda.networks.networks import build
    from tests.sharing import write

    configs = {"encoder": {"name": "small", "width": 4}, "head": {"name": "small", "width": 4}}
    networks = build({"encoder", "head"}, classes=3, tied=False, **configs)  # type: ignore[arg-type]
    write(networks, configs, tmp_path)
    damaged(lambda config: config["method"].update(tied=False))(tmp_path)
    predictor = segda.load(tmp_path, device="cpu")
    assert sorted(predictor.networks.modules) == ["encoder.source", "encoder.target", "head"]
    assert predictor.label_space.classes == ("a", "b", "c")
    assert shared_folder.read(tmp_path).normalisation.mean == (0.5, 0.5, 0.5)
