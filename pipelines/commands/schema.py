"""Write the JSON schema of pipelines, methods or data sets, by which editors complete and underline."""

import argparse
from collections.abc import Sequence
from pathlib import Path

KINDS = ("pipelines", "methods", "data")


EXAMPLES = (
    "segda schema",
    "segda schema methods -o methods.json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument(
        "kind", nargs="?", choices=KINDS, default=KINDS[0], metavar="KIND", help="pipelines (default), methods or data"
    )
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="write it there instead of printing it")


def execute(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """Print or write the schema."""
    from pipelines.definition import json_schema
    from segda.errors import ConfigError
    from segda.files import write_whole

    if args.out is None:
        print(json_schema.text(args.kind), end="")
        return 0
    if args.out.is_dir():
        raise ConfigError(f"-o {args.out}: a folder; name the file, such as {args.out / args.kind}.json")
    write_whole(args.out, json_schema.text(args.kind).encode())
    print(f"{args.out}: name it in the first line of a YAML: # yaml-language-server: $schema={args.out.absolute()}")
    return 0
