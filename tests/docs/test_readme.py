"""The README says what is so: its methods table, commands, files and snippets."""

import argparse
import importlib
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml

from pipelines import pipeline as pipelines
from pipelines.__main__ import COMMANDS, parser
from pipelines.command.data import read
from pipelines.stage import Method
from pipelines.training import needs_of
from segda import config, label_space
from segda.lookup import module
from segda.objectives.forward_pass import ForwardPass
from tests.configs import layouts
from tests.structure.source import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
RUNNING = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
PROSE = re.sub(r"^```.*?^```", "", README, flags=re.DOTALL | re.MULTILINE) + RUNNING
SNIPPETS = {
    found.group(1): text
    for language, text in BLOCKS
    if language in ("python", "yaml") and (found := re.match(r"# (\S+)\n", text))
}


def commands() -> list[list[str]]:
    """The arguments of every `segda …` and `accelerate launch … -m pipelines …` in blocks and between backticks."""
    lines = [line for language, text in BLOCKS if not language for line in text.splitlines()]
    lines += re.findall(r"`([^`\n]+)`", PROSE)
    found = []
    for line in lines:
        words = shlex.split(line, comments=True) if line.startswith(("segda ", "accelerate ")) else []
        if words[:2] == ["accelerate", "launch"]:
            words = words[words.index("pipelines") :]
        shortened = "…" in line.split("#")[0]
        if len(words) > 1 and not shortened:
            found.append(words[1:] if words[1] in COMMANDS else ["run", *words[1:]])
    return [words for number, words in enumerate(found) if words not in found[:number]]


def methods_table() -> str:
    """What stands between the markers of the README, from the configs."""
    lines = [
        "| method | title | terms: weight (options) | encoder | stage | published |", "|---|---|---|---|---|---|"
    ]  # fmt: skip
    for path in sorted((ROOT / "configs" / "methods").glob("*.yaml")):
        method = Method.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        terms = []
        for name, options in method.terms.items():
            rest = ", ".join(f"{key} {str(value).lower()}" for key, value in options.items() if key != "weight")
            terms.append(f"{name}: {options['weight']:g}" + (f" ({rest})" if rest else ""))
        if method.transfer:
            options = "".join(f", {key} {str(value).lower()}" for key, value in method.transfer.options.items())
            terms.append(f"none; transfer {method.transfer.name}{options}")
        encoder = {True: "one", False: "one a domain", "partly": "one, first layers one a domain"}[method.tied]
        encoder += f"; frozen: {', '.join(method.frozen)}" if method.frozen else ""
        cells = (f"`{path.stem}`", method.title, "; ".join(terms), encoder, kind(method), method.source)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def kind(method: Method) -> str:
    """The kind of stage that a method is for, as its terms say."""
    if method.transfer:
        return "export"
    if set(method.terms) == {"classification"}:
        return "coral" if method.frozen else "supervise"
    return "align" if "head" in needs_of(method) else "translate"


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the README's snippets where it says; its components are found beside the shipped ones."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGDA_DATA", str(tmp_path / "data"))
    known = set(sys.modules)
    for name, text in SNIPPETS.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        if file.suffix == ".py":
            package = importlib.import_module(".".join(Path(name).parent.parts))
            monkeypatch.setattr(package, "__path__", [*package.__path__, str(file.parent)])
    importlib.invalidate_caches()
    yield tmp_path
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def test_the_methods_table_is_current() -> None:
    found = re.search(r"<!-- methods -->\n(.*?)\n?<!-- end of methods -->", README, re.DOTALL)
    assert found
    assert found.group(1) == methods_table(), f"put this between the markers:\n\n{methods_table()}\n"


def test_terms_that_no_method_uses_are_named() -> None:
    terms = {path.stem for path in (ROOT / "segda/objectives/terms").glob("[a-z]*.py")}
    methods = [config.load(path, "methods") for path in config.shipped("methods").glob("*.yaml")]
    used = {term for method in methods for term in method.get("terms", {})}
    sentence = re.search(r"Other terms that no shipped method uses: (.*?)\.", README)
    assert set(re.findall(r"`(\w+)`", sentence.group(1)) if sentence else []) == terms - used


def test_commands_are_found() -> None:
    assert {words[0] for words in commands()} == set(COMMANDS)
    assert ["run", "gta5_to_cityscapes"] in commands(), "the one behind accelerate launch"


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_is_one(words: list[str], user: Path) -> None:
    """It parses, and the pipeline, settings, stages and data set that it names are there."""
    given: argparse.Namespace = parser().parse_args(words)
    if given.command == "run" and given.name:
        loaded = pipelines.load(given.name, given.settings, given.seed)
        assert set(given.only) | set(given.force) <= set(loaded.stages)
        # The number of processes must divide every batch.
        batches = [getattr(stage.config, "batch", given.processes) for stage in loaded.stages.values()]
        assert all(batch % given.processes == 0 for batch in batches)
    elif given.command in ("check", "evaluate"):
        read(given.data, given.root, given.split)
    if given.command in ("evaluate", "report"):
        assert set(getattr(given, "stage", [])) <= set(pipelines.load(given.run).stages)


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", README)
    links += [f"docs/{link}" for link in re.findall(r"\]\(([^)\s]+)\)", RUNNING)]
    assert links
    for link in links:
        file, _, anchor = link.partition("#")
        if "://" in link:
            continue
        assert (ROOT / file).is_file(), link
        headings = re.findall(r"^#+ (.*)$", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
        anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert not anchor or anchor in anchors, link


def test_named_files_are_there() -> None:
    named = set(re.findall(r"(?<![\w/.$])(?:segda|pipelines|configs|docs|tests|tools)/[\w/.]*\w/?", PROSE))
    assert len(named) > 30
    for name in named:
        assert (ROOT / name).exists(), name


def test_the_map_is_whole() -> None:
    tops = {path.name for path in ROOT.iterdir() if path.is_dir() and any(path.rglob("*.py"))}
    tops = {name for name in tops if (ROOT / name / "__init__.py").is_file() or name in ("tests", "tools")}
    for name in (*tops, "configs", "docs"):
        assert f"\n| `{name}/` |" in README, name
    for path in (ROOT / "segda").iterdir():
        if path.is_dir() and path.name != "__pycache__":
            assert f"\n| `segda/{path.name}/` |" in README, path.name
        elif path.suffix == ".py" and path.stem != "__init__":
            assert f"`segda/{path.name}`" in README, path.name
    for path in (ROOT / "pipelines").glob("[a-z]*.py"):
        assert f"`pipelines/{path.name}`" in README, path.name
    for kind in {kind for kind in pipelines.kinds() if not kind.startswith("generate")}:
        outputs = module("pipelines", kind).OUTPUTS
        row = re.findall(rf"^\| `{kind}` \|.*$", README, re.MULTILINE)[0]  # the table of stages comes first
        assert all(output in row for output in outputs), kind
    for path in config.shipped("pipelines").glob("gta5*.yaml"):
        assert f"\n| `{path.stem}` |" in README


def test_the_method_and_the_encoder_of_the_snippets_load(user: Path) -> None:
    loaded = pipelines.load("streets", ["stages.feature.method=minimum_entropy"])
    assert set(loaded.stage("feature").config.method.terms) == {"classification", "target_entropy"}  # type: ignore[attr-defined]
    encoder = module("segda.networks.encoders", "plain").build(width=5)
    pyramid = encoder(torch.zeros(2, 3, 50, 64))
    assert [tuple(features.shape) for features in pyramid] == [(2, 3, 50, 64), (2, 5, 7, 8)]
    assert encoder.channels == (3, 5)


def test_the_term_of_the_snippet_computes_its_equation(user: Path) -> None:
    term = module("segda.objectives.terms", "maximum_squares").build(weight=0.1)

    class Pass(ForwardPass):
        def __init__(self) -> None:
            self.kept = torch.zeros(1, 4, 1, 2)
            self.kept[0, 2, 0, 0] = 100.0  # certain, beside a uniform pixel

        def logits(self, domain: str) -> torch.Tensor:
            assert domain == "target"
            return self.kept

    assert float(term.generator(Pass())) == pytest.approx((-1 / 2 - 1 / 8) / 2)
    assert term.needs() == {"encoder", "head"}


def test_the_reader_of_the_snippet_reads(user: Path) -> None:
    root = user / "data" / "suburb"
    layouts.write_image(root / "photos" / "train" / "a" / "1.jpg", 4, 6, 0)
    with pytest.raises(Exception, match="ids/train"):
        module("segda.data.readers", "suburb").build(root, label_space.load("cityscapes"))
    opened = module("segda.data.readers", "suburb").build(root, label_space.load("cityscapes"), with_labels=False)
    assert opened.read(0)[1] is None
    (root / "ids" / "train" / "a").mkdir(parents=True)
    ids = np.repeat(np.array([[0], [1], [2], [9]], np.uint8), 6, axis=1)
    assert cv2.imwrite(str(root / "ids" / "train" / "a" / "1.png"), ids)
    label = module("segda.data.readers", "suburb").build(root, label_space.load("cityscapes")).read(0)[1]
    assert label is not None
    assert label[:, 0].tolist() == [0, 1, 13, 255]


def test_it_says_what_the_label_spaces_hold_and_which_torch_is_tested() -> None:
    assert f"torch=={re.search(r'^torch==(.*)$', (ROOT / 'constraints.txt').read_text(), re.MULTILINE)[1]}" in README  # type: ignore[index]
    row = next(line for line in README.splitlines() if line.startswith("| `segda/labels/` |"))
    spaces = {path.stem for path in (ROOT / "segda" / "labels").glob("[a-z]*.py")}
    assert set(re.findall(r"`(\w+)`", row)) == spaces
    for name, count in re.findall(r"`(\w+)` \((\d+)", row):
        assert label_space.load(name).count == int(count)
