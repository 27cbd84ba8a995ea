"""The links, file names and commands of every page exist."""

import re
import shlex
from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.command_line import COMMANDS, parser
from pipelines.commands.arguments import read_data
from pipelines.definition import loading as pipelines
from tests.docs import pages
from tests.structure.source import ROOT

PLACEHOLDER = re.compile(r"…|^[A-Z]+$|/NAME")


def commands() -> list[str]:
    """Every `segda …` and `accelerate launch … pipelines …`, in blocks and inline, that has no placeholder."""
    lines = []
    for page in pages.PAGES:
        lines += [line.strip() for language, block in pages.blocks(page) if not language for line in block.splitlines()]
        # A mention such as `segda run --plan` is no command.
        lines += re.findall(r"`(segda \w+ [^-`\n][^`\n]*)`", pages.prose(page))
    distinct = {}
    for line in lines:
        words = shlex.split(line, comments=True) if line.startswith(("segda ", "accelerate launch")) else []
        words = ["segda", *words[words.index("pipelines") + 1 :]] if "pipelines" in words else words
        if len(words) > 1 and not any(map(PLACEHOLDER.search, words)):
            distinct[shlex.join(words[1:] if words[1] in COMMANDS else ["run", *words[1:]])] = None
    return list(distinct)


@pytest.mark.parametrize("command", commands())
def test_a_command_is_one(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command parses, its pipeline can be planned as it says, and its stages and data set exist."""
    monkeypatch.setenv("SEGDA_DATA", str(tmp_path))
    monkeypatch.setattr("segda.engine.session.cpu_computes_in_bf16", lambda: True)  # whatever this processor is
    monkeypatch.chdir(tmp_path)
    for name, text in pages.files("README.md").items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    args = parser().parse_args(shlex.split(command))
    own = {"coins", "courier", "dann_certain", "plain", "town"}  # examples that the pages' own tests run
    if own & set(re.split(r"\W+", command)):
        return
    if args.command == "run" and args.name:
        words = [word for word in shlex.split(command) if word not in ("--plan", "--estimate")]
        if args.only:  # what these stages need is not finished here
            assert set(args.only) <= set(pipelines.load(args.name, args.settings, args.seed).stages)
        else:
            assert main([*words, "--plan"]) == 0
    elif args.command in ("check", "evaluate"):
        if args.root:
            monkeypatch.setenv("HOME", str(tmp_path))
            Path(args.root).expanduser().mkdir(parents=True)
        read_data(args.data, args.root, args.split)
    if args.command in ("evaluate", "report"):
        assert set(getattr(args, "stage", [])) <= set(pipelines.load(args.run).stages)


def test_every_command_is_documented() -> None:
    assert {command.split()[0] for command in commands()} == set(COMMANDS)


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", pages.prose(page)):
        file, _, anchor = link.partition("#")
        if "://" in link:
            continue
        path = page.parent / file if file else page
        assert path.is_file(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}, link


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: page.name)
def test_named_files_exist(page: Path) -> None:
    folders = "segda|pipelines|configs|docs|examples|tests|tools"
    for name in re.findall(rf"(?<![\w/.$])(?:{folders})/[\w/.]*\w/?", pages.prose(page)):
        assert (ROOT / name).exists() or re.search("NAME|courier", name), name
    for name in re.findall(r"python -m ((?:tools|tests|pipelines)[.\w]*)", page.read_text(encoding="utf-8")):
        path = ROOT / name.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), name
