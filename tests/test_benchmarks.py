"""The harness of benchmarks/: its statistics, who is compared, and the tables. Nothing is measured here."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"

sys.path.insert(0, str(BENCHMARKS))
compare = importlib.import_module("compare")
contest = importlib.import_module("contest")
diamonds = importlib.import_module("diamonds")
environments = importlib.import_module("environments")
jobs = importlib.import_module("jobs")
four_jobs = importlib.import_module("four_jobs")
page = importlib.import_module("page")
processes = importlib.import_module("processes")
tables = importlib.import_module("tables")
targets = importlib.import_module("targets")
sys.path.remove(str(BENCHMARKS))


def standing(*step_us: float, loss: float = 0.5, seconds: float = 2.0, threads: int = 1) -> dict[str, Any]:
    numbers = {"threads": threads, "command_s": seconds, "peak_mb": 300.0, "loss": loss}
    return {"runs": [{**numbers, "step_us": each} for each in step_us]}


def results(**contenders: dict[str, Any]) -> dict[str, Any]:
    """Those of one job."""
    standings = {name.replace("_", " "): each for name, each in contenders.items()}
    return {"networks": {"table-256": {"job": "table-256: rows", "contenders": standings}}}


# --- statistics ----------------------------------------------------------------------------------------------


def test_ratio_is_taken_within_each_round() -> None:
    # The second round was twice as slow for both. The medians over rounds would say 250 / 150.
    assert compare.ratio([200, 400, 250], [100, 200, 125]) == 2


def test_spread_tells_median_and_extremes() -> None:
    assert tables.spread([3000, 1000, 2000], ",.0f") == "2,000 (1,000–3,000)"


def test_cross_entropy_is_that_of_the_probabilities() -> None:
    probabilities = np.array([[0.9, 0.1], [0.25, 0.75]])
    expected = -(np.log(0.9) + np.log(0.75)) / 2
    y = np.array([0, 1])
    assert four_jobs.cross_entropy(np.log(probabilities), y) == pytest.approx(expected)
    assert four_jobs.cross_entropy(np.log(probabilities) + 700, y) == pytest.approx(expected)  # logits, and large ones


def test_steady_state_leaves_the_first_epoch_out() -> None:
    place = four_jobs.Place(jobs.NETWORKS[0], Path(), np.array([0]), is_quick=False)
    run = place.numbers(processes.Taken(1.0, 2.0), 1, [9.0, 0.032, 0.064, 0.032], np.zeros((1, 2)))
    assert run["step_us"] == pytest.approx(1000)  # 0.032 s for 32 steps


def test_steps_count_the_short_last_batch() -> None:
    assert [network.steps for network in jobs.NETWORKS] == [32, 625, 235, 469]


@pytest.mark.parametrize("network", jobs.NETWORKS[:2], ids=lambda network: network.name)
def test_classes_depend_on_the_features_and_all_occur(network: Any) -> None:
    x, y = jobs.draw_examples(network)
    assert x.shape == (network.rows + jobs.HELD_OUT, network.widths[0])
    assert x.dtype == np.float32
    shares = np.bincount(y, minlength=network.widths[-1]) / len(y)
    assert shares.min() > 0.02
    # The nearest of the classes' means, found on one half, guesses the other half better than the commonest class does.
    half = len(x) // 2
    means = np.stack([x[:half][y[:half] == each].mean(axis=0) for each in range(network.widths[-1])])
    guesses = ((x[half:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert (guesses == y[half:]).mean() > shares.max() + 0.05


# --- who is compared -----------------------------------------------------------------------------------------


def test_who_learned_less_lags_and_who_learned_more_does_not() -> None:
    assert compare.lagging({"a": 0.50, "b": 0.51, "c": 0.49, "worse": 0.52, "better": 0.3}) == {"worse"}


def test_a_loss_that_is_no_number_lags() -> None:
    assert compare.lagging({"a": 0.5, "b": 0.5, "broken": float("nan")}) == {"broken"}


def test_who_lags_is_shown_but_gets_no_ratio_and_meets_no_target() -> None:
    measured = results(
        nettool=standing(100), skorch=standing(300), Lightning=standing(500), Keras_on_JAX=standing(90, loss=0.9)
    )
    text = page.tables(measured)
    (row,) = [line for line in text.splitlines() if line.startswith("| Keras on JAX")]
    assert [cell.strip() for cell in row.split("|")[1:-1]] == [
        "Keras on JAX", "1", "90.0 (90.0–90.0)", "-", "2.0", "-", "300", "0.900",
    ]  # fmt: skip
    assert "Keras on JAX: the loss lies too far above the others'" in text
    (steady, _) = targets.targets(measured)
    assert steady == ("table-256, steady state: the fastest tool (skorch)", "≥ 1.2", "3.00 times", True)


def test_scikit_learn_is_compared_whatever_it_learned() -> None:
    measured = results(nettool=standing(100), skorch=standing(300), **{"scikit-learn": standing(110, loss=0.9)})
    (steady, _) = targets.targets(measured)
    assert steady == ("table-256, steady state: the fastest tool (scikit-learn)", "≥ 1.2", "1.10 times", False)


def test_an_expert_s_program_is_no_tool_a_user_would_pick() -> None:
    measured = results(nettool=standing(100), skorch=standing(300), **{"JAX, scanned epoch": standing(96)})
    assert [(each.what, each.reached, each.is_met) for each in targets.targets(measured)] == [
        ("table-256, steady state: the fastest tool (skorch)", "3.00 times", True),
        ("table-256, steady state: JAX, scanned epoch", "0.96 times", True),
        ("table-256, whole command: the fastest tool (skorch)", "1.00 times", False),
    ]


def test_where_nettool_itself_learned_less_nothing_is_compared() -> None:
    measured = results(nettool=standing(100, loss=0.9), skorch=standing(300), Lightning=standing(500))
    assert list(targets.targets(measured)) == [("table-256: as much learned as by the others", "yes", "no", False)]
    assert "3.00" not in page.tables(measured)


def test_who_did_not_run_is_told_with_the_error() -> None:
    measured = results(nettool=standing(100), skorch={"runs": [], "error": "ERROR: no such version"})
    assert "skorch did not run: `ERROR: no such version`" in page.tables(measured)
    assert "| skorch" not in page.tables(measured)


WHOLE = {
    **results(nettool=standing(100, 120), skorch=standing(300, 240)),
    "command": "make bench",
    "rounds": 2,
    "machine": {"date": "2026-01-02", "cpu": "a cpu", "cores": 2, "memory_gb": 25.2, "system": "Linux"},
    "versions": {"nettool": {"torch": "2.13.0"}, "skorch": {"skorch": "1.4.0", "torch": "2.13.0"}},
    "diamonds": {
        "job": "diamonds: rows",
        "contenders": {
            # The errors are those of different first weights: nobody is left out for them.
            "nettool": {"runs": [{"threads": 1, "command_s": 3.0, "peak_mb": 350.0, "rmse": 560.0}]},
            "by hand": {"runs": [{"threads": 2, "command_s": 6.0, "peak_mb": 380.0, "rmse": 900.0}]},
            "Ludwig": {"runs": [], "error": "it broke"},
        },
    },
    "reading": {
        "rows": 1000,
        "file": 170_000,
        "pyarrow": {
            "seconds": 1.0,
            "processor": 1.0,
            "ratio": 1.0,
            "ratios": [1.0],
            "peak": 1.0,
            "total": 2.0,
            "files": 3.0,
        },
        "classification": {
            "seconds": 1.4,
            "processor": 1.0,
            "ratio": 1.4,
            "ratios": [1.4],
            "peak": 1.0,
            "total": 2.0,
            "files": 2.2,
        },
        "regression": {
            "seconds": 1.6,
            "processor": 1.0,
            "ratio": 1.6,
            "ratios": [1.6],
            "peak": 1.0,
            "total": 2.0,
            "files": 2.4,
        },
    },
    "startup": {"import torch": [1.5, 1.3, 1.4], "first step": [2.1, 1.8, 1.9]},
    "overhead": {"nettool train": [30.9, 31.1], "the bare loop": [30.0, 30.0]},
    "throughput": {"a network": {"nettool": [99.0], "by hand, fused Adam": [100.0]}},
}


def test_the_page_says_what_was_reached_on_what_and_how() -> None:
    text = page.render(json.loads(json.dumps(WHOLE)))
    assert "Measured on 2026-01-02 with `make bench` (2 rounds): a cpu, 2 cores, 25 GB of memory, Linux." in text
    assert "| skorch      | skorch 1.4.0, torch 2.13.0 |" in text
    rows = [[cell.strip() for cell in line.split("|")] for line in text.splitlines()]
    assert [row[2:5] for row in rows if row[-2:] in (["yes", ""], ["no", ""])] == [
        ["≥ 1.2", "2.50 times", "yes"],  # 3.00 in one round, 2.00 in the other
        ["≥ 1.2", "1.00 times", "no"],
        ["≥ 5", "it did not run", "no"],
        ["≥ 1.2", "2.00 times", "yes"],
        ["≤ 1.5", "1.40 times", "yes"],
        ["≤ 2.5", "2.20 times", "yes"],
        ["≤ 1.5", "1.60 times", "no"],
        ["≤ 2.5", "2.40 times", "yes"],
        ["≤ 0.6", "0.50 s", "yes"],
        ["≤ 3", "3.33 %", "no"],
        ["≥ 1.0", "0.99 times", "no"],
    ]
    for how in page.HOW.values():
        assert how in text


def test_the_tables_fit_a_terminal_of_a_hundred_columns() -> None:
    measured = results(**{"by hand, DataLoader": standing(10_000, 12_345), "nettool": standing(1_234, 2_345)})
    rows = [line for line in page.tables(measured).splitlines() if line.startswith("|")]
    assert max(map(len, rows)) <= 100


# --- rounds --------------------------------------------------------------------------------------------------


def fake(name: str, calls: list[tuple[str, int | None, bool]], costs: dict[int, float]) -> Any:
    """A contender that costs so much with so many threads."""

    def run(threads: int | None, is_trial: bool) -> dict[str, float]:
        calls.append((name, threads, is_trial))
        return {"threads": threads or 1, "step_us": costs[threads or 1]}

    return contest.Contender(name, run, has_own_threads=name == "nettool")


def test_rounds_alternate_after_a_trial_that_chooses_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contest, "thread_counts", lambda: [1, 2])
    calls: list[tuple[str, int | None, bool]] = []
    contenders = [fake("nettool", calls, {1: 1}), fake("one", calls, {1: 1, 2: 3}), fake("two", calls, {1: 3, 2: 1})]
    standings = contest.compete("job", contenders, 2, "step_us")
    trials = [("nettool", None), ("one", 1), ("one", 2), ("two", 1), ("two", 2)]
    rounds = [("two", 2), ("one", 1), ("nettool", None), ("nettool", None), ("one", 1), ("two", 2)]
    assert calls == [(*each, True) for each in trials] + [(*each, False) for each in rounds]
    assert [len(each["runs"]) for each in standings.values()] == [2, 2, 2]  # the trial does not count


def test_who_fails_is_left_out_of_the_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contest, "thread_counts", lambda: [1])

    def fail(threads: int | None, is_trial: bool) -> dict[str, float]:
        raise processes.PeerFailure("it broke")

    calls: list[tuple[str, int | None, bool]] = []
    contenders = [fake("nettool", calls, {1: 1}), contest.Contender("broken", fail)]
    standings = contest.compete("job", contenders, 2, "step_us")
    assert standings["broken"] == {"runs": [], "error": "it broke"}
    assert len(standings["nettool"]["runs"]) == 2


# --- processes -----------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="no cores to choose")
def test_a_process_gets_its_cores_and_threads_and_is_measured_alone(tmp_path: Path) -> None:
    ballast = np.ones(100_000_000, dtype=np.uint8)  # the memory of this process is no part of what is measured
    code = "import os; print(len(os.sched_getaffinity(0)), os.environ['OMP_NUM_THREADS'])"
    taken = processes.run([sys.executable, "-c", code], tmp_path, threads=1)
    assert (tmp_path / "log.txt").read_text() == "1 1\n"
    assert taken.peak_mb < ballast.nbytes / 1e6
    assert taken.seconds < 30


def test_a_process_that_fails_is_told_with_its_last_line(tmp_path: Path) -> None:
    with pytest.raises(processes.PeerFailure, match=r"^ValueError: no$"):
        processes.run([sys.executable, "-c", "raise ValueError('no')"], tmp_path)


def test_every_environment_pins_what_it_asks_for() -> None:
    for file in environments.REQUIREMENTS.glob("*.txt"):
        lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
        assert all(line.count("==") == 1 for line in lines), file


def test_the_memory_of_a_process_is_its_own_not_of_the_one_that_started_it() -> None:
    child = "import reading; print(reading._peak())"
    large = f"import subprocess, sys; b'x' * 400_000_000; subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    printed = subprocess.run([sys.executable, "-c", large], cwd=BENCHMARKS, check=True, stdout=subprocess.PIPE).stdout
    assert 1_000_000 < int(printed) < 200_000_000


@pytest.mark.parametrize("end", ["", "\n"])
def test_each_row_of_the_diamonds_is_there_once_for_all_contenders(tmp_path: Path, end: str) -> None:
    rows = [f"{row},{row / 7}" for row in range(100)]
    (tmp_path / "all.csv").write_text("\n".join(["a,b", *rows]) + end)
    diamonds.part(tmp_path / "all.csv", tmp_path)
    train, validation = ((tmp_path / f"{name}.csv").read_text().splitlines() for name in ("train", "validation"))
    assert train[0] == validation[0] == "a,b"
    assert (len(train), len(validation)) == (86, 16)
    assert sorted(train[1:] + validation[1:]) == sorted(rows)
