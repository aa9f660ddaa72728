import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nettool.errors import BusyError, RunError
from nettool.runs import directory
from nettool.runs.find import find_run
from nettool.runs.sweeps import all_sweeps


def make_run(root: Path, name: str, config_time: int = 0) -> Path:
    path = root / name
    path.mkdir(parents=True)
    (path / "config.yaml").write_text("name: x\n")
    (path / "run.json").write_text(json.dumps({"status": "finished"}))
    os.utime(path / "config.yaml", ns=(config_time, config_time))
    return path


def test_names_are_numbered_from_one_for_each_name(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    names = [directory.claim(name, root).path.name for name in ("a", "a", "b", "a", "a-b")]
    assert names == ["a-0001", "a-0002", "b-0001", "a-0003", "a-b-0001"]


def test_a_number_is_never_given_twice_even_if_one_was_removed(tmp_path: Path) -> None:
    directory.claim("a", tmp_path)
    second = directory.claim("a", tmp_path)
    (tmp_path / "a-0001").rmdir()
    assert second.path.name == "a-0002"
    assert directory.claim("a", tmp_path).path.name == "a-0003"


def test_many_claims_at_once_get_different_directories(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        runs = list(pool.map(lambda _: directory.claim("a", tmp_path).path, range(64)))
    assert len(set(runs)) == 64


def test_of_many_claims_on_one_path_one_wins_and_the_rest_are_told(tmp_path: Path) -> None:
    def claim(_: int) -> bool:
        try:
            directory.claim_exactly(tmp_path / "deep" / "run")
        except BusyError as error:
            assert error.exit_code == 5
            assert "is there already" in str(error)
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(claim, range(20))) == 1


def test_the_newest_run_is_meant_where_nothing_is_said(tmp_path: Path) -> None:
    make_run(tmp_path, "b-0001", config_time=2_000_000_000)
    newest = make_run(tmp_path, "a-0001", config_time=3_000_000_000)
    assert find_run(None, tmp_path).path == newest


def test_a_run_is_found_by_path_and_by_name(tmp_path: Path) -> None:
    path = make_run(tmp_path, "a-0001")
    assert find_run(path, tmp_path).path == path
    assert find_run(Path("a-0001"), tmp_path).path == path


def test_a_run_that_does_not_exist_is_answered_with_the_nearest_name(tmp_path: Path) -> None:
    make_run(tmp_path, "digits-0001")
    with pytest.raises(RunError) as caught:
        find_run(Path("digit-0001"), tmp_path)
    assert str(caught.value) == "digit-0001: no such run. Did you mean digits-0001?"


def test_no_runs_at_all_tells_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"there are no runs in .* yet. `nettool train CONFIG` makes one."):
        find_run(None, tmp_path / "runs")


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"is a folder, but no run: it holds no config.yaml."):
        find_run(tmp_path)
    (tmp_path / "a-0001").mkdir()
    with pytest.raises(RunError, match=r"a-0001 is a folder, but no run: it holds no config.yaml."):
        find_run(Path("a-0001"), tmp_path)


def test_a_run_without_weights_says_so(tmp_path: Path) -> None:
    path = make_run(tmp_path, "a-0001")
    with pytest.raises(RunError, match=r"holds no best.safetensors"):
        directory.RunDirectory(path).weights  # noqa: B018


def test_runs_are_in_the_order_of_their_names_and_numbers(tmp_path: Path) -> None:
    names = ["0009", "1001", "10000", "a-0002", "a-1001", "a-10000", "a-b-0001", "b", "b-0001", "best"]
    for name in reversed(names):
        make_run(tmp_path, name)
    assert [run.path.name for run in directory.all_runs(tmp_path)] == names


def test_sweeps_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in ("9999", "10000", "10001"):
        (tmp_path / f"a-sweep-{number}").mkdir()
        (tmp_path / f"a-sweep-{number}" / "sweep.json").write_text("{}")
    assert [sweep.path.name.rpartition("-")[2] for sweep in all_sweeps(tmp_path)] == ["9999", "10000", "10001"]
