"""Row 4: the source holds nothing that executes a stranger's file, and writes run directories in one place only."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.torture.lab import Lab
from tests.torture.zygote import ROOT

SOURCES = ("nettool", "cli/nettool_cli")
FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "ctypes"}
FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "__import__", "torch.load", "torch.jit.load", "torch.hub.load", "yaml.load",
    "yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "os.system", "os.popen", "pandas.read_pickle", "pd.read_pickle",
}  # fmt: skip
WRITES = {
    "write_text", "write_bytes", "unlink", "rename", "mkdir", "rmdir", "touch", "symlink_to", "hardlink_to", "truncate",
    "os.open", "os.write", "os.replace", "os.remove", "os.makedirs", "shutil.copy", "shutil.copyfile", "shutil.copytree",
    "shutil.move", "shutil.rmtree", "numpy.save", "np.save", "np.savez", "safetensors.torch.save_file", "torch.save",
    "tempfile.NamedTemporaryFile", "tempfile.TemporaryDirectory", "tempfile.mkstemp",
}  # fmt: skip
WRITERS = {
    "nettool/runs/durable.py": "the place",
    "nettool/workflows/doctor.py": "a folder of its own, for its proof",
    "cli/nettool_cli/main.py": "the report of a bug",
    "cli/nettool_cli/streams.py": "/dev/null",
}


def hits(root: Path) -> Iterator[str]:
    """Every line that breaks the rule."""
    for source in SOURCES:
        for path in sorted((root / source).rglob("*.py")):
            name = str(path.relative_to(root))
            for node in ast.walk(ast.parse(path.read_text())):
                for what in _broken(node):
                    if what not in ("write", *WRITES) or name not in WRITERS:
                        yield f"{name}:{node.lineno}: {what}"


def _broken(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name.split(".")[0] in FORBIDDEN_MODULES)
    if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in FORBIDDEN_MODULES:
        yield str(node.module)
    if not isinstance(node, ast.Call):
        return
    name = ast.unparse(node.func)
    keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
    if name in FORBIDDEN_CALLS or keywords.get("shell") == "True":
        yield name
    if name in ("np.load", "numpy.load") and keywords.get("allow_pickle") != "False":
        yield f"{name} without allow_pickle=False"
    if name in WRITES or name.rpartition(".")[2] in WRITES - {"rename"}:
        yield name.rpartition(".")[2] if name not in WRITES else name
    if name.rpartition(".")[2] == "open" and name != "os.open" and _mode(node, keywords) & set("wax+"):
        yield "write"


def _mode(node: ast.Call, keywords: dict[str | None, str]) -> set[str]:
    """The mode that a file is opened with: Path.open's first argument, open's second."""
    place = 1 if isinstance(node.func, ast.Name) else 0
    mode = node.args[place] if len(node.args) > place else None
    return set(str(mode.value) if isinstance(mode, ast.Constant) else keywords.get("mode", ""))


PLANTED = {
    "source_torch_load": "torch.load('x')",
    "source_pickle": "import pickle",
    "source_np_load": "np.load('x')",
    "source_yaml_load": "yaml.load('x', yaml.Loader)",
    "source_write": "open('x', 'w')",
}


def scan(lab: Lab) -> None:
    """All of the source; with a bug, a copy of it with one line more."""
    root = ROOT
    if lab.bug:
        root = lab.folder / "source"
        for source in SOURCES:
            shutil.copytree(
                ROOT / source, root / source, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True
            )
        with (root / "nettool/runs/journal.py").open("a") as file:
            file.write(f"\n\ndef planted():\n    {PLANTED[lab.bug]}\n")
    with lab.point("the source"):
        found = list(hits(root))
        assert not found, "; ".join(found)
