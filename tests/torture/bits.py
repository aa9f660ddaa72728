"""Rows 11 and 12: an evaluation gives the recorded numbers, a repetition the same run; other threads are announced."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
from pathlib import Path

from tests.same_run import assert_same_run
from tests.torture.lab import Lab


def evaluate_again(lab: Lab, case: str) -> None:
    """The recorded validation metrics to the bit, and another batch size to 1e-6."""
    folder = lab.case(case)
    record = json.loads((folder / "uncut/run.json").read_text())["metrics"]
    with lab.point(f"{case}, eval"):
        result = lab.run(folder, "eval", "uncut", "--split", "validation", "--json")
        assert result.code == 0, result.err
        answer = json.loads(result.out)
        measured = {"validation_loss": answer["loss"], **answer["metrics"]}
        assert {name: measured[name] for name in record} == record
    for chunk in (1, 7, 1000):
        with lab.point(f"{case}, {chunk} at a time"):
            for name, value in lab.call("bits:measure", "uncut", str(chunk), folder=folder).items():
                assert abs(value - record[name]) <= 1e-6 * max(1.0, abs(record[name])), (name, value, record[name])


def measure(run: str, chunk: str) -> dict[str, float]:
    """In the process with the bug: the validation split, so many examples at a time."""
    from nettool.data.dataset import Dataset
    from nettool.data.encode import load_rows
    from nettool.data.reading import resolve
    from nettool.workflows.trained import load_trained

    trained = load_trained(Path(run))
    spec = trained.experiment.data
    split, _ = load_rows(spec if spec.is_stream else resolve(spec), trained.encoders, "validation")
    evaluator = dataclasses.replace(trained.evaluator(trained.experiment.metric_names), chunk=int(chunk))
    loss, metrics = evaluator(trained.network, Dataset.from_split(split, trained.device))
    return {"validation_loss": loss, **metrics}


def train_again(lab: Lab, case: str) -> None:
    """The same config twice, once from the config in the run directory, and once in a process of its own."""
    folder = lab.case(case)
    first = folder / "uncut"
    if lab.bug:  # two runs with the bug: that one with it differs from one without proves nothing
        first = lab.new_run(folder)
        lab.train(folder, first)
    for config in (f"{case}.yaml", f"{first.name}/config.yaml"):
        run = lab.new_run(folder)
        with lab.point(f"{case}, {config} trained again"):
            result = lab.run(folder, "train", config, "--run-dir", run.name, "--quiet")
            assert result.code == 0, result.err
            assert_same_run(first, run)
        lab.done_with(run)
    run = lab.new_run(folder)
    with lab.point(f"{case}, in a new process that hashes otherwise"):
        result = _in_new_process(lab, folder, "train", f"{case}.yaml", "--run-dir", run.name, "--quiet")
        assert result.returncode == 0, result.stderr
        assert_same_run(first, run)
    lab.done_with(run)
    runs = [lab.new_run(folder) for _ in range(2)]
    with lab.point(f"{case}, two threads that share the work of a larger network, twice"):
        for run in runs:
            result = lab.train(folder, run, WIDER[case], "batch_size=60", "epochs=2", "runtime.threads=2")
            assert result.code == 0, result.err
        assert_same_run(*runs)
    for run in runs:
        lab.done_with(run)


def _in_new_process(lab: Lab, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, in a Python that has imported nothing, with other hashes of texts and another folder for a home."""
    environment = {
        **os.environ,
        "PYTHONHASHSEED": "4711",
        "HOME": str(folder),
        "TZ": "Asia/Tokyo",
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(
        [*lab.command(), *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


WIDER = {
    "table": "layers=[{dense: {units: 2000, norm: batch_norm}}, {dense: 500}, output]",
    "cnn": "layers=[{conv2d: {filters: 64, norm: batch_norm}}, max_pool, {conv2d: 64}, flatten, output]",
    "lstm": "layers=[{embedding: 64}, {lstm: {units: 200}}, {transformer: {heads: 4, causal: true}}, output]",
}
"""Large enough that torch gives each thread a part of them."""


def other_threads(lab: Lab, case: str) -> None:
    """A run of other threads, versions or another processor is never claimed to be the same."""
    folder = lab.case(case)
    run = lab.new_run(folder)
    lab.train(folder, run, kill_at=len((folder / "log").read_text().splitlines()) // 2)
    with lab.point(f"{case}, resumed with two threads"):
        result = lab.run(folder, "train", "--resume", run.name, "runtime.threads=2")
        assert result.code == 0, result.err
        assert "note: the run was made with 1 thread (here 2) so far: the last digits may differ" in result.err, (
            result.err
        )
        out = lab.run(folder, "verify", run.name).out
        assert "may differ in the last digits" in out, out
        assert "to train again would give the same bits" not in out, out
    lab.done_with(run)
    for key, value in (("threads", 2), ("cpu", "Abacus 1"), ("versions", {"torch": "1.0.0"})):
        run = lab.new_run(folder)
        shutil.copytree(folder / "uncut", run)
        record = json.loads((run / "run.json").read_text())
        (run / "run.json").write_text(json.dumps({**record, key: value}))
        with lab.point(f"{case}, verified where {key} differ"):
            result = lab.run(folder, "verify", run.name)
            assert result.code == 0, result.err
            assert "may differ in the last digits" in result.out, result.out
        lab.done_with(run)
    with lab.point(f"{case}, verified here"):
        out = lab.run(folder, "verify", "uncut").out
        assert "to train again would give the same bits" in out, out
        assert "the same to the bit" in out, out
