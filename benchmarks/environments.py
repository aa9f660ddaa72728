"""The environments of the contenders: one for each file of requirements/, made where it is missing or stale."""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from processes import PeerFailure, last_line

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements"
ENVIRONMENTS = HERE / ".environments"

_VERSIONS = """
import importlib.metadata, json, sys
print(json.dumps({name: importlib.metadata.version(name) for name in sys.argv[1:]}))
"""


@functools.cache
def bin_of(name: str) -> Path:
    """The folder of an environment's commands. Raises PeerFailure where it cannot be installed."""
    requirements, folder = REQUIREMENTS / f"{name}.txt", ENVIRONMENTS / name
    stamp = folder / "stamp"
    if not stamp.exists() or stamp.stat().st_mtime < requirements.stat().st_mtime:
        print(f"installing {requirements.relative_to(HERE.parent)}", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [folder / "bin" / "pip", "install", "--quiet", "--requirement", requirements]
        done = subprocess.run(pip, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            errors = "\n".join(line for line in done.stderr.splitlines() if line.startswith("ERROR"))
            raise PeerFailure(last_line(errors or done.stderr))
        stamp.touch()
    return folder / "bin"


def versions(name: str) -> dict[str, str]:
    """What is installed of the packages that the requirements name."""
    text = (REQUIREMENTS / f"{name}.txt").read_text()
    names = re.findall(r"^([\w-]+)==", text, re.MULTILINE)
    done = subprocess.run([bin_of(name) / "python", "-c", _VERSIONS, *names], stdout=subprocess.PIPE, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def all_versions() -> dict[str, dict[str, str]]:
    """The versions in every environment that was made."""
    names = [file.stem for file in sorted(REQUIREMENTS.glob("*.txt"))]
    return {name: versions(name) for name in names if (ENVIRONMENTS / name / "stamp").exists()}
