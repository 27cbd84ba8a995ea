"""What no line of the source may do, found in its syntax tree: run what strangers wrote, or reach the network."""

import ast
from collections.abc import Iterator

#: Modules that turn bytes into objects, or reach other machines; who does not import them cannot use them.
MODULES = {
    "pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve",
    "urllib.request", "requests", "httpx", "aiohttp", "http.client", "ftplib", "smtplib", "telnetlib", "webbrowser",
}  # fmt: skip
#: Named anywhere, called or handed over.
NAMES = {
    "eval", "exec", "compile", "__import__", "builtins.eval", "builtins.exec", "builtins.compile",
    "os.system", "os.popen", "pty.spawn", "subprocess.getoutput", "subprocess.getstatusoutput",
    "yaml.unsafe_load", "yaml.unsafe_load_all", "yaml.full_load", "yaml.full_load_all",
    "yaml.Loader", "yaml.CLoader", "yaml.FullLoader", "yaml.UnsafeLoader",
    "torch.save", "torch.jit.load", "torch.hub.load", "torch.hub.load_state_dict_from_url", "torch.package",
    "pandas.read_pickle", "numpy.fromregex", "tempfile.mktemp", "shutil.unpack_archive",
    "socket.socket", "socket.create_connection",
}  # fmt: skip
#: Methods that unpack archives to wherever their members say.
METHODS = {"extractall", "extract"}
_YAML_LOADS = {"yaml.load", "yaml.load_all"}
_SAFE = {"SafeLoader", "CSafeLoader"}
#: Keywords of any call to the one value they may have.
_KEYWORDS = {"shell": "False", "allow_pickle": "False", "weights_only": "True", "trust_remote_code": "False"}


def hazards(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of each hazard in a file."""
    aliases: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.split(".")[0]
                aliases[alias.asname or first] = alias.name if alias.asname else first
                yield from _imported(node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            yield from _imported(node.lineno, str(node.module))
            for alias in node.names:
                aliases[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield from _imported(node.lineno, f"{node.module}.{alias.name}")
    for node in ast.walk(tree):
        # A field of a config may be called as a function is; to set it runs nothing.
        named = isinstance(node, ast.Name | ast.Attribute) and not isinstance(node.ctx, ast.Store)
        if named and (name := _dotted(node, aliases)) in NAMES:
            yield node.lineno, name
        if isinstance(node, ast.Call):
            yield from ((node.lineno, found) for found in _called(node, aliases))


def _imported(line: int, module: str) -> Iterator[tuple[int, str]]:
    if any(module == each or module.startswith(f"{each}.") for each in MODULES) or module in NAMES:
        yield line, f"import {module}"


def _called(call: ast.Call, aliases: dict[str, str]) -> Iterator[str]:
    name = _dotted(call.func, aliases)
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    for keyword, allowed in _KEYWORDS.items():
        if keyword in given and ast.unparse(given[keyword]) != allowed:
            yield f"{keyword}={ast.unparse(given[keyword])}"
    if name == "torch.load" and "weights_only" not in given:
        yield "torch.load without weights_only=True"
    if name in _YAML_LOADS:
        loader = given.get("Loader", call.args[1] if len(call.args) > 1 else None)
        if loader is None or ast.unparse(loader).rpartition(".")[2] not in _SAFE:
            yield f"{name} without SafeLoader"
    command = given.get("args", call.args[0] if call.args else None)
    is_text = isinstance(command, ast.JoinedStr | ast.BinOp) or isinstance(getattr(command, "value", None), str)
    if name.startswith("subprocess.") and is_text:
        yield f"{name} of a text"
    if isinstance(call.func, ast.Attribute) and call.func.attr in METHODS:
        yield f".{call.func.attr}()"


def _dotted(node: ast.AST, aliases: dict[str, str]) -> str:
    """The full name that a node means, as far as imports tell; empty for anything else."""
    if isinstance(node, ast.Name):
        return aliases.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value, aliases)
        return f"{before}.{node.attr}" if before else ""
    return ""
