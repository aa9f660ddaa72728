"""Bugs to plant: each breaks one promise, and the check of that promise must notice.

A bug is planted in a process of its own, by putting something else in the place of a function.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Plant = Callable[[], None]


@dataclass(frozen=True)
class Bug:
    """What it is, in words; the check that must notice; and how it is planted."""

    what: str
    check: str
    plant: Plant


BUGS: dict[str, Bug] = {}


def bug(what: str, *checks: str) -> Callable[[Plant], Plant]:
    """A bug by the name of its function; one for each check that must notice it."""

    def register(plant: Plant) -> Plant:
        for check in checks:
            name = plant.__name__ if len(checks) == 1 else f"{plant.__name__}@{check}"
            BUGS[name] = Bug(what, check, plant)
        return plant

    return register


def _after_restore(change: Callable[[Any], object]) -> None:
    """What a run that goes on has forgotten."""
    from nettool.training.state import TrainingState

    restore = TrainingState.restore

    def forgetful(self: Any, tensors: Any, facts: Any) -> None:
        restore(self, tensors, facts)
        change(self)

    TrainingState.restore = forgetful  # type: ignore[method-assign]


# --- rows 1 and 2: kills -----------------------------------------------------------------------------------


@bug("the dropout generator begins anew", "kill_everywhere:table", "kill_everywhere:cnn", "kill_everywhere:lstm")
def generator_forgotten() -> None:
    _after_restore(lambda state: state.network.dropout_generator.manual_seed(0))


@bug("the optimizer's moments are forgotten", "kill_everywhere:table", "kill_everywhere:cnn", "kill_everywhere:lstm")
def optimizer_forgotten() -> None:
    from nettool.training.optimizers import Optimizer

    Optimizer.load_state = lambda self, state: None  # type: ignore[method-assign]


@bug("the epoch begins again with its first batch", "kill_everywhere:table")
def position_forgotten() -> None:
    _after_restore(lambda state: setattr(state, "update", 0))


@bug("patience begins anew", "kill_everywhere:table")
def patience_forgotten() -> None:
    _after_restore(lambda state: setattr(state.stopper, "bad_epochs", 0))


@bug("the schedule begins anew", "kill_everywhere:cnn")
def schedule_forgotten() -> None:
    _after_restore(lambda state: setattr(state.schedule, "_scale", 1.0))


@bug("the best epoch is forgotten", "kill_everywhere:table")
def best_forgotten() -> None:
    _after_restore(lambda state: setattr(state, "best", None))


@bug("the sums of the epoch are forgotten", "kill_everywhere:table")
def sums_forgotten() -> None:
    _after_restore(lambda state: state.loss_sum.zero_())


@bug("buffers, the running means of batch norm, are forgotten", "kill_everywhere:table", "kill_everywhere:cnn")
def buffers_forgotten() -> None:
    _after_restore(lambda state: [buffer.zero_() for name, buffer in state.network.named_buffers() if "mean" in name])


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
    from nettool.runs import checkpoint

    checkpoint.restore_previous = lambda previous, last: None


# --- row 8: power ------------------------------------------------------------------------------------------


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


# --- row 9: disks ------------------------------------------------------------------------------------------


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


@bug("the system's errors are passed on as they are", "refuse_everywhere:table")
def errors_unexplained() -> None:
    import contextlib

    from nettool.runs import durable

    durable.one_line_errors = lambda path: contextlib.nullcontext()  # type: ignore[assignment, return-value]


@bug("the journal is written beside durable.py", "watch_from_outside")
def written_beside() -> None:
    from nettool.runs import durable

    def append(self: Any, text: str) -> None:
        os.write(self._descriptor, text.encode())

    durable.Appender.append = append  # type: ignore[method-assign]


# --- row 10: signals ---------------------------------------------------------------------------------------


@bug("only SIGINT is listened to", "signal_anywhere:table")
def signals_unheard() -> None:
    import signal

    from nettool.workflows.signals import StopSignals

    enter = StopSignals.__enter__

    def deaf(self: Any) -> Any:
        enter(self)
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, signal.SIG_DFL)
        return self

    StopSignals.__enter__ = deaf  # type: ignore[method-assign]


@bug("every signal ends with 130", "signal_anywhere:table")
def one_code_for_all() -> None:
    from nettool.errors import InterruptedRun
    from nettool.workflows.signals import StopSignals

    check = StopSignals.check

    def plain(self: Any, where: str, run: Path) -> None:
        try:
            check(self, where, run)
        except InterruptedRun as error:
            raise InterruptedRun(str(error)) from None

    StopSignals.check = plain  # type: ignore[method-assign]


@bug("a signal leaves without saving", "signal_unsaved:table")
def signal_saves_nothing() -> None:
    from nettool.errors import InterruptedRun
    from nettool.workflows.recorder import Recorder
    from nettool.workflows.signals import StopSignals

    check = StopSignals.check

    def leave(self: Any, where: str, run: Path) -> None:
        try:
            check(self, where, run)
        except InterruptedRun:
            Recorder.save = lambda self, state: None  # type: ignore[method-assign]
            raise

    StopSignals.check = leave  # type: ignore[method-assign]


@bug("the second signal waits as the first does", "signal_twice:table")
def second_signal_unheard() -> None:
    import signal

    from nettool.workflows.signals import StopSignals

    StopSignals._receive = lambda self, number, frame: setattr(self, "received", signal.Signals(number))  # type: ignore[method-assign]


# --- row 7: corruption -------------------------------------------------------------------------------------


@bug("the checksum is believed, not computed", "corrupt:table")
def checksum_believed() -> None:
    from nettool.runs import checkpoint

    checkpoint._digest = lambda header, found, file: found


@bug("a damaged checkpoint ends the run, though there is one before it", "corrupt:table")
def previous_unused() -> None:
    from nettool.workflows import resume

    resume._newest = lambda run: (*resume._load(run.last), ())


# --- rows 3 and 6: strangers -------------------------------------------------------------------------------


@bug("configs are read by a loader that makes objects", "meet_strangers")
def yaml_makes_objects() -> None:
    import yaml as pyyaml

    from nettool.config import yaml

    parse = yaml.parse

    def eager(text: str, place: Any) -> Any:
        try:
            pyyaml.load(text, pyyaml.UnsafeLoader)
        except Exception:
            return parse(text, place)
        return parse(text, place)

    yaml.parse = eager


@bug("weights that are no safetensors are unpickled", "meet_strangers")
def weights_unpickled() -> None:
    import torch

    from nettool.errors import DamagedError
    from nettool.runs import checkpoint

    load = checkpoint.load

    def trusting(path: Path) -> Any:
        try:
            return load(path)
        except DamagedError:
            try:
                torch.load(path, weights_only=False)
            except Exception:
                return load(path)
            raise

    checkpoint.load = trusting


@bug("arrays of objects are unpickled", "meet_strangers")
def arrays_unpickled() -> None:
    import numpy as np

    from nettool.data import npz

    load = np.load
    np.load = lambda path, allow_pickle=False: load(path, allow_pickle=True)
    npz._check_members = lambda path: None


@bug("the facts beside weights are believed", "meet_strangers")
def facts_believed() -> None:
    from nettool.workflows import resume, trained

    for module in (trained, resume):
        module.check_facts = lambda kind, facts, source: kind.model_construct(**facts)  # type: ignore[attr-defined]


@bug("configs may be of any depth", "defuse_bombs")
def depth_unlimited() -> None:
    from nettool.config import yaml

    yaml.MAX_CONFIG_DEPTH = 10**9  # type: ignore[attr-defined]


@bug("nobody asks whether it fits into memory", "defuse_bombs")
def memory_unasked() -> None:
    from nettool.workflows import room

    room.free_bytes = lambda: 10**18


@bug("a header may be as long as it says", "defuse_bombs")
def header_unlimited() -> None:
    from nettool.runs import checkpoint

    checkpoint.MAX_HEADER_BYTES = 2**63  # type: ignore[attr-defined]
    checkpoint.MAX_HEADER_LISTS = 2**63  # type: ignore[attr-defined]


@bug("a file may unpack to anything", "defuse_bombs")
def expansion_unlimited() -> None:
    from nettool.data import memory, npz, streams

    streams.MAX_EXPANSION = 10**9  # type: ignore[attr-defined]
    npz.check_expansion = lambda path, stored, expanded: None
    memory.free_bytes = lambda: 10**18


# --- row 5: configs ----------------------------------------------------------------------------------------


@bug("aliases are read", "spoil_configs")
def aliases_read() -> None:
    from nettool.config.yaml import _Parser

    mistake = _Parser.mistake
    _Parser.mistake = lambda self, event, text: (
        None if text.startswith(("aliases", "anchors")) else mistake(self, event, text)
    )  # type: ignore[method-assign]


@bug("mistakes have no places", "spoil_configs")
def places_forgotten() -> None:
    from nettool.config import load

    load._locate = lambda mistakes, root: list(mistakes)


@bug("all mistakes are listed, however many", "list_mistakes")
def mistakes_unlimited() -> None:
    from nettool import errors

    layout = errors.format_mistakes
    errors.format_mistakes = lambda mistakes: layout(mistakes, max_lines=10**9)  # type: ignore[misc, assignment]


# --- rows 11 and 12: bits ----------------------------------------------------------------------------------


@bug("dropout goes on in evaluation", "evaluate_again:table", "evaluate_again:cnn", "evaluate_again:lstm")
def dropout_in_evaluation() -> None:
    import contextlib

    from nettool.training import evaluation

    @contextlib.contextmanager
    def training(network: Any) -> Any:
        network.train()
        yield

    evaluation.evaluating = training


@bug("dropout masks follow from the time", "train_again:table", "train_again:lstm")
def dropout_unseeded() -> None:
    from nettool.model import compile as compiling

    compiling._stream = lambda seed, number: time.time_ns() % 2**32


@bug("the order of the examples follows from the time", "train_again:cnn")
def order_unseeded() -> None:
    import torch

    from nettool.data import dataset

    dataset._generator = lambda *numbers: torch.Generator().manual_seed(time.time_ns())


@bug("other threads, versions and processors are not spoken of", "other_threads:table")
def differences_unsaid() -> None:
    from nettool.workflows import machine

    machine.differences = lambda record, device, threads: ()


# --- rows 13 and 14: data ----------------------------------------------------------------------------------


@bug("encoders are fitted to validation too", "spoil_other_splits")
def fitted_to_validation() -> None:
    import numpy as np
    import pyarrow as pa

    from nettool.data import prepare
    from nettool.data.columns import conform
    from nettool.data.encoders import TableEncoder
    from nettool.data.reading import read_examples

    def fit_all(examples: Any, columns: Any, spec: Any, rows: Any, dates: Any) -> Any:
        other = read_examples(Path(spec.validation), spec, None).table
        other = conform(other.select([column.name for column in columns]), columns, "validation")
        table = pa.concat_tables([examples.table, other], promote_options="permissive")
        return TableEncoder.fit(table, columns, spec.scale, np.arange(table.num_rows))

    prepare._fit_features = fit_all


@bug("the split follows the order of the rows", "shuffle_rows")
def split_by_position() -> None:
    import numpy as np

    from nettool.data import partition

    keys = partition.row_keys
    partition.row_keys = lambda *arguments: np.arange(len(keys(*arguments)), dtype=np.uint64)
    partition.content_keys = lambda keys, *arguments: keys


# --- rows 15 and 18: processes -----------------------------------------------------------------------------


@bug("nobody locks the directory", "start_together", "kill_the_holder")
def directory_unlocked() -> None:
    from nettool.runs import durable

    durable.lock = lambda path, holder: os.open(path, os.O_RDWR | os.O_CREAT)


@bug("the lock is a file that is there", "start_after_a_kill")
def lock_is_a_file() -> None:
    from nettool.runs import durable

    def lock(path: Path, holder: str) -> int | None:
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            return None

    durable.lock = lock


@bug("the holder of the lock is not named", "start_together")
def holder_unnamed() -> None:
    from nettool.runs import directory

    directory._holder = lambda path: "somebody"


@bug("closed streams are left closed", "use_shells")
def streams_left_closed() -> None:
    from nettool_cli import main

    main._open_streams = lambda: None


@bug("durations are differences of the time of day", "set_the_clock_back")
def durations_by_the_clock() -> None:
    time.monotonic = lambda: time.time()


# --- row 16: names -----------------------------------------------------------------------------------------


@bug("control characters are printed", "meet_names", "print_to_a_terminal")
def control_characters_printed() -> None:
    from nettool_cli import console

    console.printable = lambda text, keep="": text


@bug("names are read as markup", "meet_names")
def markup_read() -> None:
    import rich.text

    rich.text.Text = rich.text.Text.from_markup  # type: ignore[misc, assignment]


@bug("formulas are written into csv files", "meet_names")
def formulas_written() -> None:
    from nettool.workflows import predict

    predict._harmless = predict._cell


# --- row 17: numbers ---------------------------------------------------------------------------------------


@bug("infinite cells are read", "spoil_data")
def infinity_read() -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    is_inf = pc.is_inf
    pc.is_inf = lambda column: pa.array([False]) if len(column) else is_inf(column)


@bug("NaN counts as an improvement", "never_the_best")
def nan_is_better() -> None:
    from nettool.training import stopping

    improved = stopping.improved
    stopping.improved = lambda value, *rest: value != value or improved(value, *rest)


@bug("weights that are not finite are saved", "diverge:table")
def ruins_saved() -> None:
    from nettool.training import loop
    from nettool.workflows import recorder

    for module in (loop, recorder):
        module.check_weights = lambda state: None  # type: ignore[attr-defined]


@bug("a diverged run says neither layer nor step", "diverge:table", "diverge:cnn", "diverge:lstm")
def divergence_unplaced() -> None:
    from nettool.errors import DivergedError
    from nettool.training import divergence, loop

    bare = lambda *arguments: DivergedError(f"nan. {divergence.CURE}")  # noqa: E731
    loop.diverged_step = loop.diverged_loss = bare  # type: ignore[attr-defined]


# --- row 4: the source, of which a copy is searched --------------------------------------------------------


def _plant_in_source(name: str, what: str) -> None:
    BUGS[name] = Bug(what, "scan", lambda: None)


_plant_in_source("source_torch_load", "torch.load in the source")
_plant_in_source("source_pickle", "pickle in the source")
_plant_in_source("source_np_load", "np.load that may unpickle in the source")
_plant_in_source("source_yaml_load", "yaml.load in the source")
_plant_in_source("source_write", "a write beside durable.py in the source")
