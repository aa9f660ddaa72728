"""Row 16: names that would steer a terminal, be markup, or be executed by a spreadsheet."""

from __future__ import annotations

import csv
import io
import os
import pty
import random
import re
import shutil
from pathlib import Path

from tests.torture.lab import Lab

NAMES = {
    "an escape sequence": "\x1b[31mred\x1b[2J",
    "a title": "\x1b]0;owned\x07",
    "another line": "two\nlines",
    "a bell and a backspace": "a\x07b\x08c",
    "an 8-bit control": "a\x9b31mb",
    "right to left": "a\u202eb",
    "markup": "[bold red]loud[/bold red] [link=http://x]y[/link]",
    "broken markup": "[/] [[x",
    "html": "<script>alert(1)</script>",
    "a formula": "=HYPERLINK(1;2)",
    "a plus": "+1+cmd|' /C calc'!A0",
    "a minus": "-2+3",
    "an at": "@SUM(1)",
    "a tab": "\t=1",
    "an emoji code": ":smile: :warning:",
}
RAW = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What steers a terminal; a line's end and a tab between columns are harmless."""
FORMULA = re.compile(r"[=@\t\r]|[+-](?!\d+(\.\d+)?(e[+-]?\d+)?$).", re.IGNORECASE)


def meet_names(lab: Lab) -> None:
    """As a column, as a class, as a run: in all that is printed, and in csv files that nettool writes."""
    for what, name in list(NAMES.items())[:: 4 if lab.sample and not lab.bug else 1]:
        folder = lab.folder / f"names-{what.replace(' ', '-')}"
        folder.mkdir(exist_ok=True)
        _write_table(folder, name)
        for command in (
            ("check", "c.yaml", "--data"),
            ("train", "c.yaml", "--run-dir", "runs/r-0001"),
            ("eval", "--by", name),
            ("runs", "list"),
            ("runs", "show"),
            ("verify",),
            ("check", "c.yaml", f"data.target={name[:5]}x"),
            ("predict", "nowhere.csv"),
            ("init", "t.csv", "--target", "kind"),
        ):
            with lab.point(f"{what}, {' '.join(command[:2])}"):
                result = lab.run(folder, *command)
                assert result.code in (0, 2), (result.code, result.err)
                assert "a bug in nettool" not in result.err, result.err
                raw = RAW.search(result.out + result.err)
                assert raw is None, f"{raw[0]!r} in {(result.out + result.err)!r}"
        with lab.point(f"{what}, literally"):
            shown = lab.run(folder, "check", "c.yaml", "--data").out
            assert "[bold red]" in shown or what != "markup", shown
            assert ":smile:" in shown or what != "an emoji code", shown
        with lab.point(f"{what}, csv"):
            _look_at_csv(lab, folder, name)
    _list_strange_runs(lab)


def _write_table(folder: Path, name: str) -> None:
    """A column and a class of that name, and a number that looks like a formula."""
    chance, file = random.Random(1), io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["a", "negative", name, "kind"])
    for _ in range(60):
        a = chance.gauss(0, 1)
        writer.writerow([f"{a:.3f}", "-1.5", chance.choice([name, "other"]), name if a > 0 else "plain"])
    (folder / "t.csv").write_text(file.getvalue(), newline="")
    (folder / "c.yaml").write_text(
        "data: {path: t.csv, target: kind, columns: {negative: number}}\nlayers: [output]\n"
        "loss: binary_cross_entropy\nepochs: 2\n"
    )


def _look_at_csv(lab: Lab, folder: Path, name: str) -> None:
    result = lab.run(folder, "predict", "t.csv", "-o", "out.csv")
    assert result.code == 0, result.err
    header, *rows = csv.reader(io.StringIO((folder / "out.csv").read_bytes().decode()))
    written = [*header, *(row[header.index("predicted_kind")] for row in rows)]
    live = [cell for cell in written if FORMULA.match(cell)]
    assert not live, f"a spreadsheet would execute {live[0]!r}"
    assert {row[1] for row in rows} == {"-1.5"}, "a number was changed"
    assert any(name in cell for cell in written), "the name is gone"
    (folder / "out.csv").unlink()


def _list_strange_runs(lab: Lab) -> None:
    """Folders that somebody else made below runs/."""
    folder = lab.case("table")
    for name in ("\x1b[31mred", "[bold]x[/bold]", "a\nb"):
        shutil.copytree(folder / "uncut", folder / "runs" / name, dirs_exist_ok=True)
        for command in (("runs", "list"), ("runs", "show", name), ("eval", name), ("verify", name)):
            with lab.point(f"a run called {name!r}, {command[0]}"):
                result = lab.run(folder, *command)
                assert result.code == 0, result.err
                raw = RAW.search(result.out + result.err)
                assert raw is None, f"{raw[0]!r} in {(result.out + result.err)!r}"
        shutil.rmtree(folder / "runs" / name)


def print_to_a_terminal(lab: Lab) -> None:
    """What goes to a pipe as it is does not go to a terminal as it is."""
    folder = lab.folder / "terminal"
    folder.mkdir(exist_ok=True)
    _write_table(folder, NAMES["an escape sequence"])
    assert lab.run(folder, "train", "c.yaml", "--quiet").code == 0
    with lab.point("predictions on a terminal"):
        shown = lab.call("hostile:predict_on_a_terminal", folder=folder)
        assert "plain" in shown, shown
        raw = RAW.search(shown.replace("\r\n", "\n"))
        assert raw is None, f"{raw[0]!r} in {shown[:300]!r}"


def predict_on_a_terminal() -> str:
    """In the process with the bug: what `predict` shows on a terminal of its own."""
    pid, terminal = pty.fork()
    if pid == 0:
        import sys

        from nettool_cli.main import main

        sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
        sys.argv = ["nettool", "predict", "t.csv"]
        try:
            main()
        finally:
            sys.stdout.flush()
            os._exit(0)
    pieces = []
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        if not piece:
            break
        pieces.append(piece)
    os.waitpid(pid, 0)
    return b"".join(pieces).decode(errors="replace")
