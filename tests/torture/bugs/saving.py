"""Bugs in what is saved, and in how."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.torture.bugs import after_restore, bug

# --- rows 1 and 2: kills ----------------------------------------------------------------------------------


@bug("a run that goes on begins again", "kill_everywhere:table", "kill_everywhere:cnn", "lose_power:table")
def nothing_saved() -> None:
    from nettool.workflows import resume

    nothing = ("the run had saved nothing yet: it begins again.",)
    resume._newest = lambda run, record: resume.Saved({}, None, record, notes=nothing)


@bug("the dropout generator begins anew", "kill_everywhere:table", "kill_everywhere:cnn", "kill_everywhere:lstm")
def generator_forgotten() -> None:
    after_restore(lambda state: state.network.dropout_generator.manual_seed(0))


@bug("the optimizer's moments are forgotten", "kill_everywhere:table", "kill_everywhere:cnn", "kill_everywhere:lstm")
def optimizer_forgotten() -> None:
    from nettool.training.optimizers import Optimizer

    Optimizer.load_state = lambda self, state: None  # type: ignore[method-assign]


@bug("all members of a sweep are saved with the optimizer of the first", "kill_sweeps:table")
def optimizers_mixed_up() -> None:
    from nettool.training.member_optimizers import OptimizerOfMember

    OptimizerOfMember.state = lambda self: self.rule.state_of(0)  # type: ignore[method-assign]


@bug("the epoch begins again with its first batch", "kill_everywhere:table")
def position_forgotten() -> None:
    after_restore(lambda state: setattr(state, "update", 0))


@bug("patience begins anew", "kill_everywhere:table", "go_further:table")
def patience_forgotten() -> None:
    after_restore(lambda state: state.stopper and setattr(state.stopper, "bad_epochs", 0))


@bug("the schedule begins anew", "kill_everywhere:cnn")
def schedule_forgotten() -> None:
    after_restore(lambda state: setattr(state.schedule, "_scale", 1.0))


@bug("the best epoch is forgotten", "kill_everywhere:table")
def best_forgotten() -> None:
    after_restore(lambda state: setattr(state, "best", None))


@bug("the sums of the epoch are forgotten", "kill_everywhere:table")
def sums_forgotten() -> None:
    after_restore(lambda state: setattr(state, "loss_sum", 0.0))


@bug("buffers, the running means of batch norm, are forgotten", "kill_everywhere:table", "kill_everywhere:cnn")
def buffers_forgotten() -> None:
    after_restore(lambda state: [buffer.zero_() for name, buffer in state.network.named_buffers() if "mean" in name])


@bug("the journal is only appended to", "kill_everywhere:table")
def rows_twice() -> None:
    from nettool.runs import durable, journal

    begin = journal.Journal.__init__

    def append_only(self: Any, run: Any, columns: Any, rows: Any = ()) -> None:
        if not run.metrics.exists():
            begin(self, run, columns, ())
        else:
            self.columns, self._file = tuple(columns), durable.Appender(run.metrics)

    journal.Journal.__init__ = append_only  # type: ignore[method-assign]


@bug("files are overwritten in place", "kill_everywhere:table", "refuse_everywhere:table", "lose_power:table")
def written_in_place() -> None:
    from nettool.runs import durable

    def write_file(path: Path, content: Any, previous: Path | None = None) -> None:
        with durable.one_line_errors(path):
            durable._write_new(path, (content,) if isinstance(content, bytes) else content)

    durable.write_file = write_file


@bug("old checkpoints are removed before the new one is safe", "kill_everywhere:table")
def pruned_first() -> None:
    from nettool.runs import durable

    write = durable.write_file

    def write_file(path: Path, content: Any, previous: Path | None = None) -> None:
        if previous is not None:
            durable.remove(previous)
            durable.remove(path)
        write(path, content)

    durable.write_file = write_file


@bug("what a killed process was writing is left lying about", "kill_everywhere:table")
def leftovers_kept() -> None:
    from nettool.workflows.recorder import Recorder

    Recorder._clean_up = lambda self: None  # type: ignore[method-assign]


@bug("a damaged checkpoint is kept as the previous one", "kill_after_damage:table")
def damage_kept() -> None:
    from nettool.runs import durable

    durable.rename = lambda path, target: None


# --- row 8: power -----------------------------------------------------------------------------------------


@bug("files are not synced before they are renamed", "lose_power:table")
def file_not_synced() -> None:
    from nettool.runs import durable

    def write_new(path: Path, pieces: Any) -> None:
        descriptor = durable._operate("create", path, lambda: os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC))
        for chunk in durable._chunks(pieces):
            durable._write_all("write", descriptor, path, chunk)
        os.close(descriptor)

    durable._write_new = write_new


@bug("the folder is not synced", "lose_power:table")
def folder_not_synced() -> None:
    from nettool.runs import durable

    durable.sync_folder = lambda path: None


@bug("the folder is not synced after a checkpoint, though after every other file", "lose_power:table")
def checkpoint_name_not_synced() -> None:
    from nettool.runs import durable

    write, sync = durable.write_file, durable.sync_folder

    def write_file(path: Path, content: Any, previous: Any = None) -> None:
        if path.name == "last.safetensors":
            durable.sync_folder = lambda folder: None
        try:
            write(path, content, previous)
        finally:
            durable.sync_folder = sync

    durable.write_file = write_file


@bug("the folder that runs are made in is not synced", "lose_power:table")
def place_not_synced() -> None:
    from nettool.runs import durable

    sync = durable.sync_folder
    durable.sync_folder = lambda path: (
        None if not (path / "config.yaml").exists() and not list(path.glob(".*")) else sync(path)
    )


# --- row 9: disks -----------------------------------------------------------------------------------------


@bug("a write that failed in the background is never heard of", "refuse_everywhere:table")
def failure_unsaid() -> None:
    from nettool.runs.background import BackgroundWriter

    wait = BackgroundWriter.wait

    def silent(self: Any) -> None:
        try:
            wait(self)
        except Exception:
            return

    BackgroundWriter.wait = silent  # type: ignore[method-assign]


@bug(
    "the system's errors are passed on as they are",
    "refuse_everywhere:table",
    "refuse_resumption:table",
    "fail_from_outside",
)
def errors_unexplained() -> None:
    import contextlib

    from nettool.runs import durable

    durable.one_line_errors = lambda path: contextlib.nullcontext()  # type: ignore[assignment, return-value]


@bug("a damaged checkpoint is put aside beside durable.py", "watch_from_outside")
def moved_beside() -> None:
    from nettool.runs import durable

    durable.rename = lambda path, target: path.replace(target)


@bug("the journal is written beside durable.py", "watch_from_outside")
def written_beside() -> None:
    from nettool.runs import durable

    def append(self: Any, text: str) -> None:
        os.write(self._descriptor, text.encode())

    durable.Appender.append = append  # type: ignore[method-assign]
