"""What each command imports, name by name: an import that a command does not use makes every user wait for it.

Packages are told apart from what they bring themselves: so much of each list as comes with the packages that the
command may import is not counted, and their next release changes nothing here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CLI = "main arguments check console diagnose doctor evaluate explain find_lr generate init plot predict report runs schema streams sweep train verify"
CONFIG = """checks convolutions data experiment explain hints inputs layer_types layers load losses optimization overrides
    runtime schema sequences shorthand signature spec write yaml"""
DATA = """arrow bundle columns delimited encode encoders examples features fingerprints idx image_encoder inference
    inputs kinds parallel partition prepare reading scaling series sources splits stored streams targets tasks
    text_encoder values vocabulary"""
MODEL = """class_weights extents memory misfits plans product_shapes sequence_shapes shapes spatial_shapes verdicts"""


def modules(*single: str, cli: str = "", **folders: str) -> set[str]:
    """Single ones, and each module of a folder, with the folder."""
    found = {"nettool", "nettool_cli", "nettool.errors", *single}
    found |= {f"nettool_cli.{name}" for name in (CLI + cli).split()}
    for folder, names in folders.items():
        found |= {f"nettool.{folder}", *(f"nettool.{folder}.{name}" for name in names.split())}
    return found


OWN = {
    "--help": modules(),
    "check": modules("nettool.limits", "nettool.memory", config=CONFIG, data=DATA, model=MODEL, workflows="check room"),
    "train": modules(
        "nettool.limits",
        "nettool.memory",
        cli=" chart progress",
        config=CONFIG,
        data=DATA + " augment dataset",
        model=MODEL + " blocks compile first_weights losses norms recurrent spatial stack",
        runs="background cells checkpoint directory durable find journal strict_json sweeps",
        training="""classification_metrics closed_form closed_form.activations closed_form.chain closed_form.flat
            closed_form.inputs closed_form.losses closed_form.norms closed_form.step closed_form.units curves divergence
            engines epochs evaluation history loop metrics optimizers products regression_metrics schedules state step stopping
            token_metrics trace""",
        workflows="""build changes check done exhaustion first_record machine past_weights prepare recorder replay resume room rows signals train trained
            watch""",
    ),
}
PACKAGES = {
    "--help": ["typer"],
    "check": ["numpy", "pyarrow.csv", "pydantic.types", "rich.console", "rich.table", "typer", "yaml"],
    "train": ["numpy.random", "pyarrow.csv", "pydantic.types", "safetensors.torch", "torch", "typer", "yaml"],
}
"""All of others that the command may import; what these bring is their own affair."""
COSTLY = {
    "--help": set[str](),
    "check": {"concurrent.futures.thread", "pyarrow.compute"},
    "train": {"pyarrow.compute"},
}
"""What the command imports of those below, beside what PACKAGES bring."""
WATCHED = (
    "asyncio", "concurrent.futures.thread", "http.client", "matplotlib",
    "multiprocessing", "multiprocessing.pool", "numpy", "numpy.random", "numpy.testing", "pandas", "PIL", "PIL.Image",
    "pyarrow.compute", "pyarrow.csv", "pyarrow.dataset", "pyarrow.json", "pyarrow.parquet", "pydantic.v1",
    "rich.console", "rich.live", "rich.markdown", "rich.progress", "rich.syntax", "rich.table", "rich.traceback",
    "safetensors.numpy", "safetensors.torch", "scipy", "sklearn", "socket", "sqlite3", "ssl", "sympy", "tensorboard",
    "torch._dynamo", "torch._export", "torch._functorch", "torch._inductor", "torch._numpy", "torch.ao.quantization",
    "torch.distributed", "torch.distributed.tensor", "torch.export", "torch.fx.experimental", "torch.jit.frontend",
    "torch.nn.parallel", "torch.onnx", "torch.optim.lr_scheduler", "torch.profiler", "torch.testing",
    "torch.utils.data", "torch.utils.tensorboard", "triton", "unittest", "unittest.mock", "urllib.request", "xml",
)  # fmt: skip
"""What takes long to import, or would bring much with it."""

REPORT = "\nimport json, sys\nprint('LOADED', json.dumps(list(sys.modules)), file=sys.stderr)\n"
COMMAND = """
import sys
sys.argv = ["nettool", *{arguments!r}]
from nettool_cli.main import main
try:
    main()
except SystemExit as left:
    assert not left.code, left.code
"""


def loaded(code: str) -> set[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "COVERAGE_"))}
    command = [sys.executable, "-c", code + REPORT]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert answer.returncode == 0, answer.stderr
    (line,) = (line for line in answer.stderr.splitlines() if line.startswith("LOADED "))
    return set(json.loads(line.removeprefix("LOADED ")))


def packages(names: set[str]) -> set[str]:
    """Of others: neither ours nor Python's own. Some parts of Cython and numpy go by a name with a version in it."""
    tops = {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)
    return {name for name in tops if not name.startswith(("_", "nettool"))}


def differences(command: str, what: str, found: set[str], expected: set[str]) -> list[str]:
    new, gone = sorted(found - expected), sorted(expected - found)
    told = [f"nettool {command} now imports the {what} {', '.join(new)}"] * bool(new)
    return told + [f"nettool {command} no longer imports the {what} {', '.join(gone)}"] * bool(gone)


ADVICE = (
    "If it is not needed each time the command is run, import it in the function that needs it. Else, and where "
    "something is gone, write it into the lists of tests/cli/test_imports.py."
)


@pytest.mark.parametrize("command", OWN)
def test_a_command_imports_what_it_needs_and_nothing_else(command: str, config: Path) -> None:
    arguments = {"--help": [], "check": [str(config)], "train": [str(config), "--quiet"]}[command]
    found = loaded(COMMAND.format(arguments=[command, *arguments]))
    brought = loaded("import " + ", ".join(PACKAGES[command]))
    told = differences(command, "module", {name for name in found if name.startswith("nettool")}, OWN[command])
    named = {name.partition(".")[0] for name in PACKAGES[command]}
    told += differences(command, "package", packages(found) - (packages(brought) - named), named)
    told += differences(command, "costly module", (found - brought) & set(WATCHED), COSTLY[command])
    assert not told, "\n".join([*told, ADVICE])


def test_other_commands_import_no_large_package_that_they_do_not_use(config: Path) -> None:
    large = {"PIL", "jinja2", "matplotlib", "music21", "pandas", "pyarrow", "rich", "scipy", "sklearn", "torch"}

    def loaded_by(*arguments: str) -> set[str]:
        return packages(loaded(COMMAND.format(arguments=arguments))) & large

    assert loaded_by("schema") == set()
    assert loaded_by("init") == {"rich"}
    assert loaded_by("train", str(config), "--quiet") == {"pyarrow", "torch"}
    assert loaded_by("runs", "list") == {"rich"}
    assert loaded_by("eval") == {"pyarrow", "rich", "torch"}
    assert loaded_by("eval", "--by", "group") == {"pyarrow", "rich", "torch"}
    assert loaded_by("predict", "lectures=1", "hours=2", "group=a") == {"pyarrow", "torch"}
    assert loaded_by("predict", "students.csv", "--output", "out.csv") == {"pyarrow", "torch"}
