"""The last column of docs/promises.md, from `@pytest.mark.promise("key")` on tests: python -m tests.docs.promises."""

import ast
import re
from collections import defaultdict
from functools import cache

from tests.structure import source

PAGE = source.ROOT / "docs" / "promises.md"
ROW = re.compile(r"^\| `([\w-]+)` \| (.*?) \|.*\|$", re.MULTILINE)


@cache
def proofs() -> dict[str, list[str]]:
    """The tests of each promise by its key, with the mark that excludes a test from the default suite."""
    tests = defaultdict(list)
    for path in (path for path in source.files("tests") if "@pytest.mark.promise(" in path.read_text("utf-8")):
        of_file = [ast.unparse(node) for node in source.tree(path).body if isinstance(node, ast.Assign)]
        of_file = [text for text in of_file if text.startswith("pytestmark")]
        for node in (node for node in ast.walk(source.tree(path)) if isinstance(node, ast.FunctionDef)):
            decorators = [ast.unparse(each) for each in node.decorator_list]
            # A mark on some parameters only leaves the others in the default suite.
            marks = re.findall(
                r"mark\.(slow|data|gpu)", " ".join([*of_file, *(d.partition("(")[0] for d in decorators)])
            )
            test = " ".join([f"`{path.relative_to(source.ROOT).as_posix()}::{node.name}`", *(f"({m})" for m in marks)])
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.promise":
                    for key in decorator.args:
                        tests[ast.literal_eval(key)].append(test)
    return tests


def page() -> str:
    """The page with the current tests."""
    tests = proofs()
    return ROW.sub(lambda row: f"| `{row[1]}` | {row[2]} | {', '.join(tests[row[1]])} |", PAGE.read_text("utf-8"))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
