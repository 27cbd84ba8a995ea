"""The JSON schemas: current, true of every shipped YAML, and false of what a run refuses."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.__main__ import main
from pipelines.commands.schema import KINDS
from pipelines.definition import json_schema
from segda.config import loading, yaml_file
from segda.config.lookup import names

jsonschema = pytest.importorskip("jsonschema")

PIPELINE = """
task: {name: segmentation, labels: cityscapes}
stages:
  source:
    kind: supervise
    data: {base: gta5, resize: [64, 128]}
    method: source_only
    networks: {encoder: {name: small, width: 4}, head: {name: small, width: 4}}
    steps: 2
  adapted:
    kind: align
    source: gta5
    target: {name: folder, root: mine, images: photographs, classes: {0: road, 1..3: car}}
    method: {base: dann, terms: {feature_adversarial: {weight: {ramp: dann, to: 0.1}}}}
    networks: {encoder: {name: smp, encoder: resnet34}, head: {name: linear}}
    steps: 2
    init: {from: source}
"""


def validator(kind: str) -> Any:
    return jsonschema.Draft202012Validator(json.loads((loading.shipped("schema") / f"{kind}.json").read_text()))


def errors(kind: str, text: str) -> list[str]:
    content = json.loads(json.dumps(yaml_file.parse(text)))
    return [error.message for error in validator(kind).iter_errors(content)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_shipped_schema_is_current(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After a change of an option: segda schema pipelines -o configs/schema/pipelines.json, and so on."""
    assert main(["schema", kind, "-o", str(tmp_path / "schema.json")]) == 0
    assert str(tmp_path / "schema.json") in capsys.readouterr().out
    written = (tmp_path / "schema.json").read_text()
    assert written == (loading.shipped("schema") / f"{kind}.json").read_text()
    jsonschema.Draft202012Validator.check_schema(json.loads(written))


@pytest.mark.parametrize("kind", KINDS)
def test_every_shipped_yaml_fits_and_names_its_schema(kind: str) -> None:
    schema = validator(kind)
    for path in sorted(loading.shipped(kind).glob("*.yaml")):
        content = json.loads(json.dumps(yaml_file.read_mapping(path)))
        assert [error.message for error in schema.iter_errors(content)] == [], path
        assert path.read_text().startswith(f"# yaml-language-server: $schema=../schema/{kind}.json\n"), path


def test_a_pipeline_of_ones_own_fits() -> None:
    assert errors("pipelines", PIPELINE) == []
    assert (
        errors("pipelines", "base: streets\nstages: {oracle: null, source: {steps: 3, augment: {scale: null}}}") == []
    )
    assert errors("pipelines", PIPELINE.replace("gta5, resize", "gta5, include: {fold: drive}, resize")) == []
    assert errors("pipelines", PIPELINE.replace("name: small, width: 4}, head", "name: mine.net, own: 1}, head")) == []
    assert errors("data", "classes: {0: background, 1..254: coin}\nignore: 255") == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("steps: 2\n  adapted", "stepps: 2\n  adapted"),
        ("steps: 2\n  adapted", "steps: many\n  adapted"),
        ("steps: 2\n  adapted", "steps: 0\n  adapted"),
        ("    steps: 2\n  adapted", "  adapted"),
        ("kind: align", "kind: aling"),
        ("name: small, width: 4}, head", "name: smal, width: 4}, head"),
        ("name: small, width: 4}, head", "name: small, wdth: 4}, head"),
        ("encoder: resnet34", "encoder: 34"),
        ("resize: [64, 128]", "resize: [64]"),
        ("images: photographs", "image: photographs"),
        ("labels: cityscapes", "labels: cityscape"),
        ("labels: cityscapes", "label: cityscapes"),
        ("feature_adversarial", "feature_adversary"),
        ("ramp: dann", "ramp: square"),
        ("init: {from: source}", "init: source"),
        ("task: {", "tasks: {"),
    ],
)
def test_a_mistake_is_underlined(right: str, wrong: str) -> None:
    assert right in PIPELINE
    assert errors("pipelines", PIPELINE.replace(right, wrong, 1))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("methods", "title: none"),
        ("methods", "terms: {classification: {}}"),
        ("methods", "terms: {clasification: {weight: 1}}"),
        ("methods", "terms: {classification: {weight: 1}}\ntransfer: {name: fourier}"),
        ("data", "name: gta5"),
        ("data", "name: gta6\nroot: x"),
        ("data", "name: cityscapes\nroot: x\nsplits: val"),
        ("data", "classes: 3"),
    ],
)
def test_a_mistake_in_other_files_is_underlined(kind: str, text: str) -> None:
    assert errors(kind, text)


def test_every_option_of_every_component_is_described() -> None:
    """The reference of all keys is made of these."""
    definitions = json_schema.definitions()
    for kind, (package, _) in json_schema.COMPONENTS.items():
        for name in names(package):
            part = definitions[f"{kind}.{name}"]
            assert part["description"], name
            bare = [
                key
                for key, option in part["properties"].items()
                if not ({"description", "const", "$ref"} & option.keys())
            ]
            assert not bare, (kind, name, bare)
    for name, part in definitions.items():
        if name.startswith("stage."):
            assert part["description"], name


def test_a_folder_is_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "-o", str(tmp_path)]) == 2
    assert "a folder; name the file" in capsys.readouterr().err
