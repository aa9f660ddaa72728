"""Row 4: the source holds nothing that executes a stranger's file, and writes run directories in one place only."""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.torture.bugs.strangers import SOURCE_LINES
from tests.torture.lab import Lab
from tests.torture.zygote import ROOT

SOURCES = ("nettool", "cli/nettool_cli")
FORBIDDEN_MODULES = {
    "pickle",
    "_pickle",
    "marshal",
    "shelve",
    "dill",
    "cloudpickle",
    "joblib",
    "ctypes",
    "runpy",
    "code",
    "pdb",
}
FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "__import__", "builtins.eval", "builtins.exec", "torch.load", "torch.serialization.load", "torch.jit.load",
    "torch.hub.load", "yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.unsafe_load_all", "yaml.full_load",
    "yaml.full_load_all", "os.system", "os.popen", "pandas.read_pickle", "importlib.util.spec_from_file_location",
}  # fmt: skip
MAY_USE = {
    "os": {
        "O_CLOEXEC", "O_CREAT", "O_NOFOLLOW", "O_NONBLOCK", "O_RDONLY", "O_RDWR", "O_TRUNC", "O_WRONLY", "O_APPEND",
        "close", "cpu_count", "devnull", "dup2", "environ", "fdopen", "fsdecode", "fsencode", "walk",
        "fstat", "getpid", "open", "path", "sched_getaffinity",
        "strerror", "sysconf", "uname", "_exit",
    },
    "subprocess": {"run", "TimeoutExpired"},
    "importlib": {"import_module", "metadata", "util"},
}  # fmt: skip
"""Of these modules, beside what writes: all else of them starts a program, loads one, or has no business here."""
FORBIDDEN_CLASSES = {"UnsafeLoader", "FullLoader", "Loader", "CLoader"}
WRITES = {
    "os.fsync", "os.write", "os.pwrite", "os.writev", "os.replace", "os.rename", "os.renames", "os.remove", "os.unlink", "os.mkdir",
    "os.makedirs", "os.rmdir", "os.removedirs", "os.link", "os.symlink", "os.truncate", "os.ftruncate", "os.sendfile",
    "os.copy_file_range", "os.mkfifo", "os.mknod", "shutil.copy", "shutil.copy2", "shutil.copyfile",
    "shutil.copyfileobj", "shutil.copytree", "shutil.move", "shutil.rmtree", "shutil.unpack_archive",
    "shutil.make_archive", "numpy.save", "numpy.savez", "numpy.savez_compressed", "numpy.savetxt", "numpy.memmap",
    "numpy.lib.format.open_memmap", "safetensors.torch.save_file", "safetensors.numpy.save_file",
    "safetensors.torch.save_model", "torch.save", "torch.jit.save", "mmap.mmap", "tempfile.NamedTemporaryFile",
    "tempfile.TemporaryDirectory", "tempfile.TemporaryFile", "tempfile.mkstemp", "tempfile.mkdtemp",
    "pyarrow.OSFile", "pyarrow.output_stream", "pyarrow.csv.write_csv", "pyarrow.parquet.write_table", "pyarrow.feather.write_feather", "logging.FileHandler",
}  # fmt: skip
WRITING_METHODS = {
    "write_text", "write_bytes", "unlink", "mkdir", "rmdir", "touch", "symlink_to", "hardlink_to", "truncate", "tofile",
    "savefig", "to_csv", "to_parquet", "to_pickle", "extractall", "extract",
}  # fmt: skip
"""Of whatever object: few have methods of these names that write nothing."""
OPENERS = {
    "open", "io.open", "gzip.open", "bz2.open", "lzma.open", "codecs.open", "os.fdopen", "zipfile.ZipFile",
    "tarfile.open", "bz2.BZ2File", "gzip.GzipFile", "lzma.LZMAFile", "io.FileIO",
}  # fmt: skip
"""The mode is their second argument."""
READING_FLAGS = {"O_RDONLY", "O_CLOEXEC", "O_NONBLOCK", "O_NOFOLLOW", "O_DIRECTORY", "O_PATH", "O_NOCTTY"}

WRITERS = {
    "nettool/runs/durable.py": "the place",
    "nettool/workflows/doctor.py": "a folder of its own, for its proof",
    "cli/nettool_cli/main.py": "the report of a bug",
    "cli/nettool_cli/streams.py": "/dev/null, and the streams that the process was given",
    "nettool/workflows/sweeps/worker.py": "answers to the process that has started it",
    "nettool/workflows/sweeps/workers.py": "what its processes complain of, in a file without a name",
}
INTO_MEMORY = {
    ("nettool/workflows/predict.py", "pyarrow.parquet.write_table"),
    ("nettool/plots/figures.py", "savefig"),
}
OWN_PROCESSES = {
    ("nettool/workflows/sweeps/workers.py", what) for what in ("subprocess.Popen", "subprocess.PIPE", "os.read")
}
"""A sweep starts this very program once more, on each core."""


def hits(root: Path) -> Iterator[str]:
    """Every line that breaks the rule."""
    for source in SOURCES:
        for path in sorted((root / source).rglob("*.py")):
            name = str(path.relative_to(root))
            tree = ast.parse(path.read_text())
            origins = _origins(tree)
            for node in ast.walk(tree):
                found = [*_executes(node, origins), *(() if name in WRITERS else _writes(node, origins))]
                for what in found:
                    if (name, what) not in INTO_MEMORY | OWN_PROCESSES:
                        yield f"{name}:{node.lineno}: {what}"  # type: ignore[attr-defined]


def _origins(tree: ast.AST) -> dict[str, str]:
    """What each imported name stands for: of `import numpy as np`, np -> numpy."""
    origins = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    origins[alias.asname] = alias.name
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                origins[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return origins


def _full_name(node: ast.expr, origins: Mapping[str, str]) -> str:
    """The dotted name with its first part as it was imported."""
    first, dot, rest = ast.unparse(node).partition(".")
    return origins.get(first, first) + dot + rest


def _executes(node: ast.AST, origins: Mapping[str, str]) -> Iterator[str]:
    modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    modules += [f"{node.module}"] if isinstance(node, ast.ImportFrom) else []
    yield from (module for module in modules if module.split(".")[0] in FORBIDDEN_MODULES)
    if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):  # called, or handed on for it
        name = _full_name(node, origins)
        module, _, rest = name.partition(".")
        part = re.split(r"\W", rest)[0]
        is_beyond = module in MAY_USE and part and part not in MAY_USE[module] and name not in WRITES
        if name in FORBIDDEN_CALLS or is_beyond or (module == "yaml" and rest in FORBIDDEN_CLASSES):
            yield name
    if not isinstance(node, ast.Call):
        return
    name, keywords = _full_name(node.func, origins), _keywords(node)
    if "shell" in keywords and keywords["shell"] != "False":
        yield f"{name} with a shell"
    if name == "numpy.load" and keywords.get("allow_pickle") != "False":
        yield "numpy.load without allow_pickle=False"
    if name == "importlib.import_module" and ast.unparse(node) != "import_module(_HOMES[name])":
        yield ast.unparse(node)


def _writes(node: ast.AST, origins: Mapping[str, str]) -> Iterator[str]:
    if isinstance(node, ast.Name | ast.Attribute) and _full_name(node, origins) in WRITES:
        yield _full_name(node, origins)
    if not isinstance(node, ast.Call):
        return
    name, keywords = _full_name(node.func, origins), _keywords(node)
    is_method = isinstance(node.func, ast.Attribute)
    method = name.rpartition(".")[2] if is_method else ""
    if method in WRITING_METHODS:
        yield method
    is_one = (len(node.args), set(keywords)) in ((1, set()), (0, {"target"}))
    if method in ("rename", "replace") and is_one and not name.startswith("nettool."):
        yield f"{method} of a path"  # that of a text takes two
    if name == "os.open":
        given = [*node.args[1:2], *(keyword.value for keyword in node.keywords if keyword.arg == "flags")]
        flags = {part.attr for each in given for part in ast.walk(each) if isinstance(part, ast.Attribute)}
        if not flags or flags - READING_FLAGS:
            yield "os.open to write"
    elif name in OPENERS or method == "open":
        place = 1 if name in OPENERS else 0
        yield from _writing_mode(name, node, place)


def _writing_mode(name: str, node: ast.Call, place: int) -> Iterator[str]:
    mode = next((keyword.value for keyword in node.keywords if keyword.arg == "mode"), None)
    if mode is None and len(node.args) > place:
        mode = node.args[place]
    is_text = isinstance(mode, ast.Constant) and isinstance(mode.value, str)
    if isinstance(mode, ast.Constant) and is_text and not set(str(mode.value)) & set("wax+"):
        return
    if mode is None or name in ("PIL.Image.open", "archive.open", "gzip.open", "bz2.open", "lzma.open"):
        return
    yield f"{name} to write"


def _keywords(node: ast.Call) -> dict[str | None, str]:
    return {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}


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
            file.write(f"\n\ndef planted(path):\n    import numpy as np\n    {SOURCE_LINES[lab.bug]}\n")
    with lab.point("the source"):
        found = list(hits(root))
        assert not found, "; ".join(found)
