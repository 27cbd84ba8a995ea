"""YAML: alias bombs, cycles, tags, tabs, numbers out of range, and values of the wrong type."""

from pathlib import Path

from tests.bad_input.case import PLAN, Case, Spoil

FILE = "job.yaml"
STAGE = """
task: {name: segmentation, labels: cityscapes}
stages:
  source:
    kind: supervise
    data: {name: gta5, root: set}
    method: source_only
    networks: {encoder: {name: small, width: 4}, head: {name: linear}}
    steps: 2
"""
BOMB = "\n".join([
    "a0: &a0 [x, x, x, x, x, x, x, x, x, x]",
    *(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 12)),
])  # fmt: skip
MERGES = "a0: &a0 {x: 1}\n" + "\n".join(
    f"a{level}: &a{level} {{<<: [{', '.join([f'*a{level - 1}'] * 10)}]}}" for level in range(1, 12)
)


def text(content: str | bytes) -> Spoil:
    data = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / FILE).write_bytes(data)


def set_to(key: str, value: str) -> tuple[Spoil, tuple[str, ...]]:
    return text(STAGE), (*PLAN, "--set", f"{key}={value}")


def mutual(folder: Path) -> None:
    (folder / FILE).write_text("base: other.yaml\n")
    (folder / "other.yaml").write_text("base: job.yaml\n")


def linked_to_itself(folder: Path) -> None:
    (folder / FILE).unlink()
    (folder / FILE).symlink_to(FILE)


PLAINLY = (
    ("empty file", b"", FILE, "expected a mapping"),
    ("blanks alone", "  \n\n", FILE, "expected a mapping"),
    ("a comment alone", "# later\n", FILE, "expected a mapping"),
    ("a list at the top", "- a\n- b\n", FILE, "expected a mapping"),
    ("a word at the top", "streets\n", FILE, "expected a mapping"),
    ("a number at the top", "3\n", FILE, "expected a mapping"),
    ("Latin-1", b"title: caf\xe9\n", FILE, "UTF-8"),
    ("UTF-16", "title: a\n".encode("utf-16"), FILE, "UTF-8"),
    ("a picture", b"\x89PNG\r\n\x1a\n\x00\x00", FILE, "UTF-8"),
    ("a null byte", "title: a\x00b\n", FILE, "remove the character"),
    ("a control character", "title: a\x07b\n", FILE, "remove the character"),
    ("a tab for blanks", "stages:\n\tsource: {}\n", FILE, "no tabs"),
    ("an open bracket", "stages: [\n", FILE, "brackets"),
    ("an open quote", "title: 'a\n", FILE, "quotes"),
    ("wrong indentation", "stages:\n  a: 1\n b: 2\n", FILE, "indentation"),
    ("two documents", "a: 1\n---\nb: 2\n", FILE, "keep one document"),
    ("a later YAML", "%YAML 9.9\n---\na: 1\n", FILE, "not valid YAML"),
    ("a key twice", "seed: 1\nseed: 2\n", "'seed'", "keep one"),
    ("a key twice in a stage", "stages:\n  a: {kind: x, kind: y}\n", "'kind'", "keep one"),
    ("a key twice, quoted", "1: a\n'1': b\n", "'1'", "keep one"),
    ("a list for a key", "? [a]\n: 1\n", FILE, "quote it"),
    ("a number for a key", "1.5: a\n", FILE, "quote it"),
    ("nothing for a key", "~: a\n", FILE, "quote it"),
    ("a tagged mapping for a key", "!!str {a: 1}: 2\n", FILE, "quote it"),
    ("an unknown alias", "a: *nowhere\n", "'nowhere'", "before its alias"),
    ("an anchor in itself", "a: &a [*a]\n", FILE, "remove the alias"),
    ("a merge with itself", "a: &a {<<: *a}\n", FILE, "remove the alias"),
    ("a merge with a number", "<<: 3\n", FILE, "write plain data"),
    ("a bomb of aliases", BOMB, FILE, "write less"),
    ("a bomb of merges", MERGES, FILE, "write less"),
    ("a megabyte and more", "# " + "x" * 1_000_001, FILE, "at most 1000000"),
    ("lists 2,000 deep", "a: " + "[" * 2000 + "]" * 2000, FILE, "write it flatter"),
    ("mappings 2,000 deep", "{a: " * 2000 + "1" + "}" * 2000, FILE, "write it flatter"),
    ("a program to call", "a: !!python/object/apply:os.system ['true']\n", "!!python", "remove the tag"),
    ("a program's name", "a: !!python/name:os.system\n", "!!python", "remove the tag"),
    ("a module", "a: !!python/module:os\n", "!!python", "remove the tag"),
    ("a tuple", "a: !!python/tuple [1]\n", "!!python", "remove the tag"),
    ("a tag of one's own", "a: !path b\n", "!path", "remove the tag"),
    ("a set", "a: !!set {b, c}\n", "!!set", "remove the tag"),
    ("bytes", "a: !!binary aGFsbG8=\n", "!!binary", "remove the tag"),
    ("a date that is none", "a: !!timestamp 2020-99-99\n", "!!timestamp", "remove the tag"),
    ("a number that is none", "a: !!int x\n", FILE, "remove the tag"),
    ("a choice that is none", "a: !!bool maybe\n", FILE, "remove the tag"),
    ("a number of 400 digits", f"seed: {10**400}\n", FILE, "at most 18"),
    ("1e999", "a: 1e999\n", "1e999", "give a finite one"),
    ("a tagged infinity", "a: !!float .inf\n", ".inf", "give a finite one"),
    ("no stages", "task: {name: segmentation, labels: cityscapes}\n", "stages", "expected a mapping"),
    ("stages that are a list", "stages: [a]\n", "stages", "expected a mapping"),
    ("stages that are empty", "task: {name: segmentation, labels: cityscapes}\nstages: {}\n", "stages", "at least one"),
    ("a stage that is nothing", "stages: {a: }\n", "stages.a", "expected a mapping"),
    ("a stage without a kind", "stages: {a: {steps: 1}}\n", "stages.a.kind", "valid: "),
    ("a stage of an unknown kind", "stages: {a: {kind: supervize}}\n", "stages.a.kind", "'supervise'"),
    ("a kind outside segda", "stages: {a: {kind: os.path}}\n", "stages.a.kind", "--plugin os"),
    ("an unknown key at the top", STAGE + "stage: {}\n", "stage", "'stages'"),
    ("a task that is a word", STAGE.replace("{name: segmentation, labels: cityscapes}", "segmentation"), "task",
     "a mapping"),
    ("labels that are a number", STAGE.replace("labels: cityscapes", "labels: 3"), "task.labels", "expected the name"),
    ("defaults that are a list", STAGE + "defaults: [1]\n", "defaults", "expected a mapping"),
    ("its own base", "base: job.yaml\n", FILE, "its own base"),
    ("a base that is a number", "base: 3\n", "base", "expected the name"),
    ("a base that is missing", "base: strets\n", "base", "'streets'"),
    ("a base too long for a name", f"base: {'x' * 300}.yaml\n", "base", "no such file"),
    ("a base with a null byte", 'base: "a\\0.yaml"\n', "base", "no such file"),
    ("a data config with a circle", STAGE.replace("{name: gta5, root: set}", "{base: job.yaml}"), "stages.source.data",
     "give it a value"),
)  # fmt: skip
SETTINGS = (
    ("quotes round a number", "stages.source.steps", "'2'", "stages.source.steps", "a whole number"),
    ("NaN for a rate", "stages.source.optimizer.learning_rate", ".nan", "learning_rate", "a number"),
    ("infinity for a rate", "stages.source.optimizer.learning_rate", ".inf", "learning_rate", "a number"),
    ("1e999 for a rate", "stages.source.optimizer.learning_rate", "1e999", "learning_rate", "finite"),
    ("a seed of 400 digits", "seed", str(10**400), "seed", "at most 18"),
    ("a negative seed", "seed", "-1", "seed", "at least 0"),
    ("a side of text", "stages.source.crop", "[8, wide]", "stages.source.crop", "a whole number"),
    ("a width of a thousand million", "stages.source.networks.encoder.width", "1000000000000", "stages.source",
     "lower"),
    ("a setting without a value", "stages.source", "", "stages", "at least one"),
    ("a setting that is no YAML", "stages.source.steps", "[", "--set stages.source.steps", "not valid YAML"),
    ("a setting below a number", "stages.source.steps.more", "1", "steps", "no entries"),
)  # fmt: skip

CASES = (
    *(Case(f"YAML: {name}", text(content), names, remedy, PLAN, "empty") for name, content, names, remedy in PLAINLY),
    *(Case(f"--set: {name}", *(lambda spoil, words: (spoil, names, remedy, words))(*set_to(key, value)), "empty")
      for name, key, value, names, remedy in SETTINGS),
    Case("YAML: bases in a circle", mutual, "job.yaml", "its own base", PLAN, "empty"),
    Case("YAML: a link to itself", linked_to_itself, FILE, "no such file", PLAN, "empty"),
    Case("YAML: a folder in its place", lambda folder: ((folder / FILE).unlink(), (folder / FILE).mkdir()), FILE,
         "no such file", PLAN, "empty"),
    Case("YAML: no file", lambda folder: (folder / FILE).unlink(), FILE, "looked for", PLAN, "empty"),
    Case("data config: a key twice", lambda folder: (folder / "d.yaml").write_text("name: gta5\nname: carla\n"),
         "d.yaml", "keep one", ("check", "d.yaml"), "empty"),
    Case("data config: no reader", lambda folder: (folder / "d.yaml").write_text("root: set\n"), "name", "missing",
         ("check", "d.yaml"), "empty"),
    Case("data config: an unknown reader", lambda folder: (folder / "d.yaml").write_text("{name: gta, root: set}"),
         "gta", "'gta5'", ("check", "d.yaml"), "empty"),
    Case("data config: an unknown option", lambda folder: (folder / "d.yaml").write_text(
         "{name: gta5, root: set, limt: 3}"), "limt", "'limit'", ("check", "d.yaml"), "empty"),
    Case("data config: a class number of 9 digits", lambda folder: (
         (folder / "d.yaml").write_text("{name: folder, root: set, classes: {123456789: road}}")),
         "123456789", "0..65535", ("check", "d.yaml"), "pair"),
    Case("data config: an unknown class", lambda folder: (folder / "d.yaml").write_text(
         "{name: folder, root: set, classes: {1: raod}}"), "'raod'", "'road'", ("check", "d.yaml"), "pair"),
    Case("claims: a list", lambda folder: (folder / "c.yaml").write_text("[1]"), "c.yaml", "mapping",
         ("table", "job", "--claims", "c.yaml"), "run"),
)  # fmt: skip
