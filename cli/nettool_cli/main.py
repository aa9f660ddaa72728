"""The entry point: the app with its commands, and what every error becomes on the way out."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import tempfile
import traceback
from types import FrameType
from typing import NoReturn

import typer

from nettool.errors import ConfigError, NettoolError, ResourceError
from nettool_cli import (
    check,
    console,
    diagnose,
    doctor,
    evaluate,
    explain,
    find_lr,
    generate,
    init,
    plot,
    predict,
    report,
    runs,
    schema,
    streams,
    sweep,
    train,
    verify,
)

# Looking for plugins reads the metadata of every package that is installed, and runs what it finds.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

WITH_KEYS = ("train", "check", "sweep", "find-lr", "explain")
"""Commands that take keys of a config."""

app = typer.Typer(
    name="nettool",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("init")(init.init)
app.command("check")(check.check)
app.command("train")(train.train)
app.command("sweep")(sweep.sweep)
app.command("find-lr")(find_lr.find_lr)
app.command("eval")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("explain")(explain.explain)
app.command("generate")(generate.generate)
app.command("verify")(verify.verify)
app.command("plot")(plot.plot)
app.command("diagnose")(diagnose.diagnose)
app.command("report")(report.report)
app.add_typer(runs.app, name="runs")
app.command("schema")(schema.schema)
app.command("doctor")(doctor.doctor)


@app.callback(invoke_without_command=True)
def root(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    """Train neural networks from a YAML file: describe data, layers, loss and optimizer, and get a trained network."""
    if version:
        from importlib.metadata import version as version_of

        typer.echo(f"nettool {version_of('nettool')}")
        raise typer.Exit


def command() -> NoReturn:
    """The command `nettool`: `main` in a process of its own, which ends as soon as all is said.

    Python's own way out takes torch apart, which takes longer than many commands; and it ends threads of Arrow that
    are about to finish in a way that may abort the process.
    """
    leave_when_interrupted()
    try:
        main()
    except SystemExit as leave:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(int(leave.code or 0))


def main() -> NoReturn:
    """Run the command line and exit with the code that DESIGN gives each kind of ending."""
    streams.open_all()
    with streams.forgiving_messages():
        code = _run()
    sys.exit(code)


def leave_when_interrupted() -> None:
    """Let Ctrl-C end the process, from here on, where nothing is to be saved; training has an answer of its own."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else a shell wants it ignored
        signal.signal(signal.SIGINT, _leave)


def _leave(number: int, frame: FrameType | None) -> None:
    """Not KeyboardInterrupt, which may be raised inside of a library that is being imported, and get lost there."""
    with contextlib.suppress(OSError):
        os.write(sys.stderr.fileno(), b"nettool: interrupted.\n")
    os._exit(128 + number)


def _run() -> int:
    group = typer.main.get_command(app)
    try:
        # Not `group.main`, which answers a broken pipe by leaving with 1.
        with group.make_context("nettool", sys.argv[1:]) as context:
            group.invoke(context)
        sys.stdout.flush()
    except NettoolError as error:
        console.message(error.text(console.message_width()) if isinstance(error, ConfigError) else f"nettool: {error}")
        return error.exit_code
    except typer.Exit as leave:
        return leave.exit_code
    except BrokenPipeError:  # the reader (`| head -1`) has what it wanted
        streams.drop(sys.stdout)
        return 0
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EACCES, errno.EPERM, errno.EROFS):
            return _report_bug(error)
        if error.filename is not None:
            console.message(f"nettool: {os.fsdecode(error.filename)}: {os.strerror(error.errno)}.")
            return ResourceError.exit_code
        streams.drop(sys.stdout)
        console.message(f"nettool: cannot write the answer: {os.strerror(error.errno)}. Free some space.")
        return ResourceError.exit_code
    except Exception as error:
        if hasattr(error, "exit_code") and hasattr(error, "show"):  # a usage error of the argument parser
            if hasattr(error, "message"):  # which says what Python calls it, too
                error.message = str(error.message).removeprefix("Value error, ")
            error.show()
            if getattr(error, "option_name", None) == "--resume":
                verb = getattr(getattr(error, "ctx", None), "info_name", "train")
                print(f"Name one, or take the newest: nettool {verb} --resume last", file=sys.stderr)
            elif hasattr(error, "option_name") and getattr(getattr(error, "ctx", None), "info_name", "") in WITH_KEYS:
                print("Keys of a config follow it without dashes: optimizer.lr=0.01", file=sys.stderr)
            return int(error.exit_code)
        foreseen = _foreseen(error)
        if foreseen is None:
            return _report_bug(error)
        console.message(f"nettool: {foreseen}")
        return foreseen.exit_code
    return 0


def _foreseen(error: Exception) -> NettoolError | None:
    """What may happen in any command: memory that runs out, an operation that torch has no fitting kernel for."""
    try:
        from nettool.workflows.exhaustion import out_of_memory
    except (MemoryError, ImportError, SystemError):  # for what explains it there is none either
        return ResourceError("out of memory. Close what else takes memory, or ask for less data.")
    explained: NettoolError | None = out_of_memory(error)
    if explained is None and "torch" in sys.modules:
        from nettool.workflows.machine import no_deterministic_kernel

        explained = no_deterministic_kernel(error)
    return explained


def _report_bug(error: Exception) -> int:
    """A short message; the traceback goes where it can be attached to a report."""
    with tempfile.NamedTemporaryFile("w", prefix="nettool-bug-", suffix=".txt", delete=False) as file:
        file.write(traceback.format_exc())
    print(
        f"nettool: a bug in nettool, not in what you did: {type(error).__name__}: {error}\n"
        f"The traceback is in {file.name}; please report it.",
        file=sys.stderr,
    )
    return 1
