"""What a run computes on: device, threads, versions. Chosen by rule, written in run.json, never timed."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict

from nettool.config.runtime import Runtime
from nettool.errors import ConfigError, Mistake, UsageError
from nettool.model.plans import NetworkPlan

ONE_THREAD_FLOPS = 20_000_000
"""Up to so many floating point operations a step one thread is faster than two: starting the second costs more."""


def choose_device(runtime: Runtime) -> torch.device:
    """The device asked for; `auto` takes cuda where there is one. Raises ConfigError where it is missing."""
    if runtime.device == "auto":
        return torch.device("cuda" if is_available("cuda") else "cpu")
    if not is_available(runtime.device):
        there = ", ".join(name for name in ("cpu", "cuda", "mps") if is_available(name))
        text = f"this machine has no {runtime.device} that torch {torch.__version__} can use; it has {there}."
        raise ConfigError([Mistake(("runtime", "device"), text)])
    return torch.device(runtime.device)


def device_like(name: str) -> torch.device:
    """The device of that name where this machine has it, else the cpu."""
    device = torch.device(name)
    is_here = is_available(device.type) and (device.type != "cuda" or (device.index or 0) < torch.cuda.device_count())
    return device if is_here else torch.device("cpu")


def is_available(device: str) -> bool:
    """Whether this machine, and this build of torch, has a cpu, cuda or mps device."""
    match device:
        case "cuda":
            return torch.cuda.is_available()
        case "mps":
            return torch.backends.mps.is_available()
        case _:
            return True


def choose_threads(runtime: Runtime, plan: NetworkPlan, batch_size: int) -> int:
    """The number asked for, else by the work of a step: forward, and twice as much backward."""
    if runtime.threads is not None:
        return runtime.threads
    step_flops = 3 * plan.flops * batch_size
    return 1 if step_flops <= ONE_THREAD_FLOPS else num_cores()


def threads_note(runtime: Runtime) -> tuple[str, ...]:
    """What to say of more threads than can run at once; nothing of a number that the rule chose."""
    cores = num_cores()
    if runtime.threads is None or runtime.threads <= cores:
        return ()
    here = "is 1 core" if cores == 1 else f"are {cores} cores"
    return (f"runtime.threads is {runtime.threads}, but here {here}: the threads wait for each other.",)


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute with so many threads inside, and as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def random_numbers(seed: int, device: torch.device) -> Iterator[None]:
    """Make torch's global generators functions of the seed inside: layers added from Python may draw from them."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


@contextmanager
def computing(runtime: Runtime, device: torch.device, num_threads: int) -> Iterator[None]:
    """Compute as a run does: with so many threads and, on cuda, with its kind of kernels; as before afterwards."""
    with threads(num_threads), _kernels(runtime.deterministic) if device.type == "cuda" else nullcontext():
        yield


@contextmanager
def _kernels(deterministic: bool) -> Iterator[None]:
    """Let cuda take kernels that give the same bits each time, or those that are the fastest on trial."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what NVIDIA asks for in cuDNN's recurrent layers
    cudnn, filling = torch.backends.cudnn, torch.utils.deterministic
    before = cudnn.deterministic, cudnn.benchmark, filling.fill_uninitialized_memory  # type: ignore[attr-defined]
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    # What is filled is written before it is read: a kernel more for each tensor.
    cudnn.deterministic, cudnn.benchmark, filling.fill_uninitialized_memory = (  # type: ignore[attr-defined]
        deterministic, not deterministic, False,
    )  # fmt: skip
    torch.use_deterministic_algorithms(deterministic)
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark, filling.fill_uninitialized_memory = before  # type: ignore[attr-defined]
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)


def no_deterministic_kernel(failure: Exception) -> UsageError | None:
    """The error for the user if that was one of torch: a layer added from Python may do what has no such kernel."""
    if not isinstance(failure, RuntimeError) or "does not have a deterministic implementation" not in str(failure):
        return None
    return UsageError(
        f"{str(failure).split()[0]} has no kernel on cuda that gives the same bits each time. Train on the cpu with "
        "--device cpu, or set runtime.deterministic=false and do without equal bits."
    )


def versions() -> dict[str, str]:
    """Of everything whose release may change a number."""
    return dict(_versions())


@cache
def _versions() -> dict[str, str]:
    """Looked up once: each look reads a package's metadata."""
    packages = {name: version(name) for name in ("nettool", "torch", "numpy", "pyarrow")}
    return {**packages, "torch": torch.__version__, "python": platform.python_version()}


class Machine(BaseModel):
    """What `describe` says, read again: a stranger may have written it."""

    model_config = ConfigDict(strict=True)

    versions: dict[str, str]
    device: str
    cpu: str
    threads: int
    engine: str | None = None
    gpu: str | None = None
    deterministic: bool | None = None

    def described(self) -> dict[str, Any]:
        """What `describe` said."""
        return self.model_dump(exclude_none=True)


def describe(runtime: Runtime, device: torch.device, threads: int, engine: str | None = None) -> dict[str, Any]:
    """What the bits of a run depend on, beside its config and data. engine: None where nothing is trained."""
    here: dict[str, Any] = {"versions": versions(), "device": str(device), "cpu": cpu_name(), "threads": threads}
    if engine is not None:
        here["engine"] = engine
    if device.type == "cuda":
        here |= {"gpu": torch.cuda.get_device_name(device), "deterministic": runtime.deterministic}
    return here


def differences(
    stays: Iterable[Mapping[str, Any]],
    runtime: Runtime,
    device: torch.device,
    threads: int,
    engine: str | None = None,
) -> tuple[str, ...]:
    """What was otherwise where a run has been: `torch 2.12.0 (here 2.13.0)`; nothing for what is not said of it.

    stays: each what `describe` said there, and maybe more. engine: None where nothing is trained here.
    """
    here = describe(runtime, device, threads, engine)
    return tuple(dict.fromkeys(difference for stay in stays for difference in _differences(stay, here)))


def _differences(stay: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    then = {**here, **stay, "versions": stay.get("versions", {})}
    found = [
        f"{name} {then['versions'][name]} (here {value})"
        for name, value in here["versions"].items()
        if then["versions"].get(name, value) != value
    ]
    found += [
        f"{name} {then[name]} (here {here[name]})"
        for name in ("device", "gpu", "cpu", "engine")
        if name in here and then[name] != here[name]
    ]
    if then["threads"] != here["threads"]:
        found.append(f"{then['threads']} thread{'s' if then['threads'] != 1 else ''} (here {here['threads']})")
    if not (then.get("deterministic", True) and here.get("deterministic", True)):
        found.append("kernels that may differ each time (runtime.deterministic: false)")
    return found


def cpu_name() -> str:
    """The processor's model, as the system calls it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def git_commit() -> str | None:
    """The commit of the current folder's repository, `-dirty` behind it where files differ; None outside of one."""
    command = ["git", "--no-optional-locks", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None if answer.returncode == 0 else None
