"""Print the script by which bash, zsh or fish completes commands, options, and names of pipelines, runs and stages."""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

EXAMPLES = (
    "segda completion bash > ~/.local/share/bash-completion/completions/segda",
    "segda completion zsh > ~/.zfunc/_segda",
    "segda completion fish > ~/.config/fish/completions/segda.fish",
)

SHELLS = ("bash", "zsh", "fish")
KINDS = ("pipelines", "data", "runs", "stages", "settings")

NAMED = {
    "name": "pipelines", "run": "runs", "stage": "stages", "only": "stages", "force": "stages", "data": "data",
    "source": "data", "target": "data", "settings": "settings",
}  # fmt: skip
"""What an argument names, by its name in the parsers."""

ZSH = """
_segda_words() {  # zsh puts options of compadd before the kind of words
  local -a found=(${(f)"$(segda completion --words ${@[-1]} 2>/dev/null)"})
  compadd "${@[1,-2]}" -a found
}
"""

BASH = """
# bash takes `--set a.b=c` for three words.
_segda() {
  local words=() word glue=
  for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
    if [[ ${#words[@]} -gt 1 && ( $word == "=" || $glue ) ]]; then words[-1]+=$word; else words+=("$word"); fi
    [[ $word == "=" ]] && glue=yes || glue=
  done
  local typed=${COMP_WORDS[COMP_CWORD]#=} whole=${words[-1]}
  local COMP_WORDS=("${words[@]}") COMP_CWORD=$((${#words[@]} - 1))
  _shtab_segda
  COMPREPLY=("${COMPREPLY[@]#"${whole%"$typed"}"}")
}
complete -o bashdefault -F _segda segda
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("shell", nargs="?", choices=SHELLS, help="the shell that reads the script")
    parser.add_argument("--words", choices=KINDS, help=argparse.SUPPRESS)  # the scripts ask for them


def execute(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """Print the script, or the words of a kind that there are now, one a line.

    Raises:
        ConfigError: no shell is named, or shtab is not installed.
    """
    from segda.errors import ConfigError

    if args.words is not None:
        print("\n".join(words(args.words)))
        return 0
    if args.shell is None:
        raise ConfigError(f"completion: expected the name of a shell, {', '.join(SHELLS)}")
    try:
        import shtab
    except ImportError as error:
        raise ConfigError("completion needs shtab; run `pip install 'segda[completion]'`") from error
    from pipelines.command_line import parser

    top = parser()
    for action in _arguments(top):
        if action.dest in NAMED:
            asked = shtab.cmd(f"segda completion --words {NAMED[action.dest]} 2>/dev/null")
            # shtab's own would be asked when zsh reads the script, not when a word is completed.
            action.complete = {**asked, "zsh": f"_segda_words {NAMED[action.dest]}"}
        elif action.type is Path:
            action.complete = shtab.DIRECTORY if action.metavar == "DIR" else shtab.FILE
    before, after = (ZSH if args.shell == "zsh" else "", BASH if args.shell == "bash" else "")
    print(f"{shtab.complete(top, args.shell, preamble=before)}{after}")
    return 0


def words(kind: str) -> list[str]:
    """What may stand in place of an argument of a kind: shipped names and those of the current folder, sorted."""
    from segda.artefacts.store import Store
    from segda.config import loading as configs

    store = Store(Path("runs"))
    if kind == "runs":
        return store.runs()
    if kind in ("pipelines", "data"):
        return configs.names(kind)
    if kind == "stages":
        return sorted({stage for stages in _stages(store) for stage in stages})
    trained = sorted({name for stages in _stages(store) for name, stage in stages.items() if "method" in stage})
    return [f"stages.{name}.method={method}" for name in trained for method in configs.names("methods")]


def _stages(store: Any) -> Iterator[dict[str, Any]]:
    """The stages of each run, as its config has them."""
    from segda.errors import SegdaError

    for run in store.runs():
        with suppress(SegdaError):  # damaged, which is reported where it is used
            yield store.read_lock(run)["config"]["stages"]


def _arguments(parser: argparse.ArgumentParser) -> Iterator[Any]:
    """All arguments of a parser and of those below it."""
    for action in parser._actions:
        yield action
        for below in action.choices.values() if isinstance(action, argparse._SubParsersAction) else ():
            yield from _arguments(below)
