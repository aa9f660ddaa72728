"""The entry point: the app with its commands, and what every error becomes on the way out."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import tempfile
import traceback
from types import FrameType

import typer

from nettool.errors import ConfigError, NettoolError, ResourceError
from nettool_cli import check, console, doctor, evaluate, generate, init, predict, runs, schema, train, verify

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
app.command("eval")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("generate")(generate.generate)
app.command("verify")(verify.verify)
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


def main() -> None:
    """Run the command line and exit with the code that DESIGN gives each kind of ending."""
    _open_streams()
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # else a shell wants it ignored, for a job in the background
        signal.signal(signal.SIGINT, _leave)
    try:
        code = _run()
    finally:
        signal.signal(signal.SIGINT, before)
    sys.exit(code)


def _open_streams() -> None:
    """Put /dev/null where a stream was closed: the next file that is opened would take its place and its output."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(descriptor, "r" if descriptor == 0 else "w", closefd=False))  # noqa: SIM115


def _leave(number: int, frame: FrameType | None) -> None:
    """Answer Ctrl-C outside of training, where nothing is to be saved.

    Not by KeyboardInterrupt, which may be raised inside of a library that is being imported, and get lost there.
    """
    os.write(sys.stderr.fileno(), b"nettool: interrupted.\n")
    os._exit(128 + number)


def _run() -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # where the terminal or the pipe cannot take a character
    command = typer.main.get_command(app)
    try:
        # Not `command.main`, which answers a broken pipe by leaving with 1.
        with command.make_context("nettool", sys.argv[1:]) as context:
            command.invoke(context)
        sys.stdout.flush()
    except NettoolError as error:
        console.message(str(error) if isinstance(error, ConfigError) else f"nettool: {error}")
        return error.exit_code
    except typer.Exit as leave:
        return leave.exit_code
    except BrokenPipeError:  # the reader (`| head -1`) has what it wanted
        _drop_output()
        return 0
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO) or error.filename is not None:
            return _report_bug(error)
        _drop_output()
        console.message(f"nettool: cannot write the answer: {os.strerror(error.errno)}. Free some space.")
        return ResourceError.exit_code
    except Exception as error:
        if hasattr(error, "exit_code") and hasattr(error, "show"):  # a usage error of the argument parser
            error.show()
            if hasattr(error, "option_name"):
                print("Keys of a config follow it without dashes: optimizer.lr=0.01", file=sys.stderr)
            return int(error.exit_code)
        return _report_bug(error)
    return 0


def _drop_output() -> None:
    """What waits in the stream goes nowhere; Python would complain while closing it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
