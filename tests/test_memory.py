"""What memory is free, and the refusal of what does not fit into it."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from nettool.errors import DataError
from nettool.memory import check_memory, free_bytes


def test_free_memory_is_the_least_of_the_machine_and_its_control_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = tmp_path / "groups"
    (groups / "slice" / "job").mkdir(parents=True)
    for name in ("MEMINFO", "OWN_GROUPS"):
        monkeypatch.setattr(f"nettool.memory.{name}", tmp_path / name)
    monkeypatch.setattr("nettool.memory.GROUPS", groups)
    (tmp_path / "MEMINFO").write_text("MemTotal: 99 kB\nMemAvailable:    50000000 kB\n")
    (tmp_path / "OWN_GROUPS").write_text("1:name=systemd:/x\n0::/slice/job\n")

    def free() -> str:
        with pytest.raises(DataError) as caught:
            check_memory(10**15, "t.npz: everything", "less")
        return str(caught.value)

    assert free() == "t.npz: everything: needs 1,000,000.0 GB of memory, but 51.2 GB are free. Cure: less."
    (groups / "slice" / "memory.max").write_text("8000000000\n")
    (groups / "slice" / "memory.current").write_text("6000000000\n")
    assert "but 2.0 GB are free" in free()
    (groups / "slice" / "memory.stat").write_text("anon 5\ninactive_file 1500000000\n")
    assert "but 3.5 GB are free" in free()
    (groups / "slice" / "job" / "memory.max").write_text("max\n")
    (groups / "slice" / "job" / "memory.current").write_text("6000000000\n")
    assert "but 3.5 GB are free" in free()
    (groups / "slice" / "job" / "memory.max").write_text("100000000\n")
    assert "but 0 GB are free" in free()


def test_a_limit_on_the_process_counts_with_what_is_left_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nettool.memory.OWN_SIZE", tmp_path / "statm")
    (tmp_path / "statm").write_text("250 100 50 1 0 90 0\n")
    monkeypatch.setattr(resource, "getpagesize", lambda: 4000)
    limits = {resource.RLIMIT_AS: (3_000_000, resource.RLIM_INFINITY)}
    monkeypatch.setattr(resource, "getrlimit", limits.__getitem__)
    assert free_bytes() == 2_000_000
    limits[resource.RLIMIT_AS] = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    assert free_bytes() > 2_000_000


def test_a_machine_that_does_not_tell_what_is_free_counts_with_all_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MEMINFO", "OWN_GROUPS", "GROUPS"):
        monkeypatch.setattr(f"nettool.memory.{name}", tmp_path / "no")
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}.__getitem__)
    check_memory(4_096_000, "it fits", "less")
    with pytest.raises(DataError, match=r"needs 0.0041 GB of memory, but 0.0041 GB are free"):
        check_memory(4_096_001, "it does not", "less")
