from pathlib import Path

from PIL import Image

from pipelines.definition.schema import DataConfig
from pipelines.training import packs
from pipelines.training.open_data import open_dataset


def key(root: Path, **options: object) -> str:
    data = DataConfig(name="folder", root=str(root), images="images", **options)
    dataset = open_dataset(data, "cityscapes", root, with_labels=False)
    found: str = packs.plan(data, dataset, root / "runs").about["key"]
    return found


def test_how_pictures_are_read_is_part_of_the_key(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "images/a.png")
    keys = [
        key(tmp_path), key(tmp_path, orientation="apply"), key(tmp_path, orientation="as_stored"),
        key(tmp_path, bands=[1, 2, 3]), key(tmp_path, bands=[1]), key(tmp_path, values=[0, 200]),
    ]  # fmt: skip
    assert len(set(keys)) == len(keys)
    assert key(tmp_path) == keys[0]
