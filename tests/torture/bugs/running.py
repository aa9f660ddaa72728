"""Bugs in signals, bits, data, processes, names and numbers."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any

from tests.torture.bugs import bug

# --- row 10: signals --------------------------------------------------------------------------------------


@bug("only SIGINT is listened to", "signal_anywhere:table", "signal_anywhere:cnn", "signal_anywhere:lstm")
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


# --- rows 11 and 12: bits ---------------------------------------------------------------------------------


@bug("dropout goes on in evaluation", "evaluate_again:table", "evaluate_again:cnn", "evaluate_again:lstm")
def dropout_in_evaluation() -> None:
    import torch

    from nettool.training import evaluation

    @contextlib.contextmanager
    def training(network: Any) -> Any:
        network.train()
        with torch.no_grad():
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


@bug("the split follows from Python's hashes of texts, which differ from process to process", "train_again:table")
def split_by_hash() -> None:
    from nettool.data import partition

    keys = partition.content_keys
    partition.content_keys = lambda table, columns, raw, seed: keys(table, columns, raw, (seed + hash("text")) % 2**31)


@bug("other threads, versions and processors are not spoken of", "other_threads:table")
def differences_unsaid() -> None:
    from nettool.workflows import machine

    machine.differences = lambda *arguments: ()


# --- rows 13 and 14: data ---------------------------------------------------------------------------------


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

    partition.content_keys = lambda table, *arguments: np.arange(table.num_rows, dtype=np.uint64)


# --- rows 15 and 18: processes ----------------------------------------------------------------------------


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
    from nettool_cli import streams

    streams.open_all = lambda: None


@bug("a message that nobody can read ends a training", "use_shells")
def messages_matter() -> None:
    from nettool_cli import streams

    streams._or_drop = lambda stream: contextlib.nullcontext()


@bug("durations are differences of the time of day", "set_the_clock_back")
def durations_by_the_clock() -> None:
    time.monotonic = lambda: time.time()


# --- row 16: names ----------------------------------------------------------------------------------------


@bug("control characters are printed", "meet_names", "print_to_a_terminal")
def control_characters_printed() -> None:
    from nettool_cli import console

    console.printable = lambda text, keep="": text


@bug("names are read as markup", "meet_names")
def markup_read() -> None:
    import rich.text

    parse = rich.text.Text.from_markup
    rich.text.Text = lambda text="", **settings: parse(text)  # type: ignore[misc, assignment]


@bug("formulas are written into csv files", "meet_names")
def formulas_written() -> None:
    from nettool.workflows import predict

    predict._harmless = predict._cell


# --- row 17: numbers --------------------------------------------------------------------------------------


@bug("infinite cells are read", "spoil_data")
def infinity_read() -> None:
    from nettool.data import kinds

    kinds.ends = lambda column: ()


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
    from nettool.training import divergence

    divergence._ruined_layers = lambda network: ""
    divergence._first_infinite = lambda network, batches: "somewhere"
