"""What the bits of a run depend on, and which kernels it computes with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from nettool.config.runtime import Runtime
from nettool.workflows import machine

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def flags() -> tuple[bool, ...]:
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.backends.cudnn.deterministic,
        torch.backends.cudnn.benchmark,
        torch.utils.deterministic.fill_uninitialized_memory,
    )


@pytest.fixture
def own_flags(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[bool, ...]]:
    """Those of a user who has set some."""
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield flags()
    torch.use_deterministic_algorithms(False)


def test_cuda_computes_with_kernels_that_give_the_same_bits_each_time(own_flags: tuple[bool, ...]) -> None:
    with machine.computing(Runtime(), CUDA, 1):
        assert flags() == (True, False, True, False, False)
    assert flags() == own_flags


def test_cuda_may_take_the_fastest_kernels(own_flags: tuple[bool, ...]) -> None:
    with machine.computing(Runtime(deterministic=False), CUDA, 1):
        assert flags() == (False, False, False, True, False)
    assert flags() == own_flags


def test_the_users_flags_come_back_after_an_error_and_stay_on_the_cpu(own_flags: tuple[bool, ...]) -> None:
    with pytest.raises(ZeroDivisionError), machine.computing(Runtime(), CUDA, 1):
        raise ZeroDivisionError
    assert flags() == own_flags
    with machine.computing(Runtime(), CPU, 1):
        assert flags() == own_flags


def test_threads_are_those_of_the_run_inside_alone() -> None:
    before = torch.get_num_threads()
    with machine.computing(Runtime(), CPU, before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_another_gpu_and_kernels_that_may_differ_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H200")
    record = machine.describe(Runtime(), CUDA, 1)
    assert machine.differences([record], Runtime(), CUDA, 1) == ()
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H100")
    assert machine.differences([record], Runtime(), CUDA, 1) == ("gpu NVIDIA H200 (here NVIDIA H100)",)
    either = ("kernels that may differ each time (runtime.deterministic: false)",)
    record = machine.describe(Runtime(deterministic=False), CUDA, 1)
    assert machine.differences([record], Runtime(), CUDA, 1) == either
    record = machine.describe(Runtime(), CUDA, 1)
    assert machine.differences([record], Runtime(deterministic=False), CUDA, 1) == either


def test_a_run_from_cuda_differs_on_the_cpu_by_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H200")
    record = machine.describe(Runtime(), CUDA, 1)
    assert machine.differences([record], Runtime(), CPU, 1) == ("device cuda (here cpu)",)


def test_what_has_no_deterministic_kernel_is_named_with_what_to_do() -> None:
    said = RuntimeError("cumsum_cuda_kernel does not have a deterministic implementation, but you set 'torch.use_...")
    error = machine.no_deterministic_kernel(said)
    assert str(error) == (
        "cumsum_cuda_kernel has no kernel on cuda that gives the same bits each time. Train on the cpu with --device "
        "cpu, or set runtime.deterministic=false and do without equal bits."
    )
    assert machine.no_deterministic_kernel(RuntimeError("something else")) is None


def test_a_device_that_this_machine_lacks_is_the_cpu() -> None:
    assert machine.device_like("cuda:7" if torch.cuda.device_count() < 8 else "cuda:99") == CPU
    assert machine.device_like("cpu") == CPU


def test_more_threads_than_cores_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "num_cores", lambda: 2)
    assert machine.threads_note(Runtime(threads=3)) == (
        "runtime.threads is 3, but here are 2 cores: the threads wait for each other.",
    )
    assert machine.threads_note(Runtime(threads=2)) == machine.threads_note(Runtime()) == ()
    monkeypatch.setattr(machine, "num_cores", lambda: 1)
    assert "here is 1 core:" in machine.threads_note(Runtime(threads=2))[0]
