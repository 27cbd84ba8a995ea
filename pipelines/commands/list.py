"""List what there is by name: pipelines, methods, terms, networks, readers, data sets, label spaces, stages."""

import argparse
from collections.abc import Sequence
from pathlib import Path

CONFIGS = ("pipelines", "methods", "data")

PACKAGES = {
    "terms": "segda.objectives.terms",
    "encoders": "segda.networks.encoders",
    "heads": "segda.networks.heads",
    "decoders": "segda.networks.decoders",
    "discriminators": "segda.networks.discriminators",
    "samplers": "segda.networks.samplers",
    "rebuilders": "segda.networks.rebuilders",
    "transfers": "segda.transfer",
    "readers": "segda.data.readers",
    "label-spaces": "segda.label_spaces",
    "tasks": "segda.tasks",
    "stages": "pipelines.stages",
}

OPTIMIZERS = {
    "adam": "Adam; the usual choice where networks play against each other.",
    "adamw": "Adam with decoupled weight decay; the usual choice for segmentation.",
    "sgd": "Stochastic gradient descent with momentum.",
}

#: Kind to where its names stand in a YAML, or on the command line.
USES = {
    "pipelines": "segda run NAME",
    "methods": "`method` of a stage",
    "data": "`data`, `source` and `target` of a stage, segda check NAME",
    "terms": "`terms` of a method",
    "encoders": "`networks.encoder`",
    "heads": "`networks.head`",
    "decoders": "`networks.decoder`",
    "discriminators": "`networks.discriminators`",
    "samplers": "`networks.sampler`",
    "rebuilders": "`networks.rebuilder`",
    "transfers": "`transfer` of a method",
    "readers": "`name` of a data set",
    "label-spaces": "`task.labels`",
    "tasks": "`task.name`",
    "optimizers": "`optimizer.name`",
    "stages": "`kind` of a stage",
}


EXAMPLES = (
    "segda list",
    "segda list methods",
    "segda list encoders --json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument(
        "kind", nargs="?", choices=[*USES], metavar="KIND", help=f"{', '.join(USES)}; without it, how many of each"
    )
    parser.add_argument("--json", action="store_true", help="print JSON: kind to name to its line")


def execute(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """Print the names of a kind, each with a line, or the kinds."""
    import json
    import shutil
    import textwrap

    from segda.terminal.escape import escape
    from segda.terminal.table import to_lines

    listed = {kind: entries(kind) for kind in ([args.kind] if args.kind else USES)}
    if args.json:
        print(json.dumps(listed, indent=1))
    elif args.kind is None:
        print("\n".join(to_lines([(kind, len(names), USES[kind]) for kind, names in listed.items()])))
        print("\nsegda list KIND names them.")
    else:
        names = listed[args.kind]
        width = max(map(len, names)) + 2
        columns = max(shutil.get_terminal_size().columns, width + 40)
        for name, line in names.items():
            print(textwrap.fill(
                escape(line), columns, initial_indent=escape(name).ljust(width), subsequent_indent=" " * width,
                break_on_hyphens=False,
            ))  # fmt: skip
        print(f"\n{len(names)} {args.kind}: {USES[args.kind]}")
    return 0


def entries(kind: str) -> dict[str, str]:
    """The names of a kind, sorted, each with what its file says first. No component is imported."""
    from segda.config.loading import shipped
    from segda.config.lookup import names

    if kind == "optimizers":
        return OPTIMIZERS
    if kind in CONFIGS:
        found = {
            path.stem: _first_comment(path)
            for folder in (shipped(kind), Path("configs") / kind)  # what is found here goes before what is shipped
            for path in folder.glob("*.y*ml")
        }
        return dict(sorted(found.items()))
    return {name: _first_sentence(PACKAGES[kind], name) for name in names(PACKAGES[kind])}


def _first_comment(path: Path) -> str:
    """The first paragraph of a YAML's comment, without the line for editors."""
    lines: list[str] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        text = line.removeprefix("#").strip()
        if not line.startswith("#") or (lines and not text):
            break
        lines += [text] if text and not text.startswith("yaml-language-server:") else []
    return " ".join(lines)


def _first_sentence(package: str, name: str) -> str:
    """The first paragraph of a module's docstring, read without importing it."""
    import ast
    import importlib

    for folder in importlib.import_module(package).__path__:
        for file in (Path(folder, f"{name}.py"), Path(folder, name, "__init__.py")):
            if file.is_file():
                docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
                return " ".join(docstring.split("\n\n")[0].split())
    return ""
