"""nettool generate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nettool_cli import console
from nettool_cli.arguments import RunArgument


def generate(
    run: RunArgument = None,
    prompt: Annotated[str, typer.Option(help="The text to go on from; \\n is a line's end.")] = "",
    length: Annotated[int, typer.Option(min=1, help="Characters (bytes, words) to write.")] = 400,
    temperature: Annotated[float, typer.Option(help="1: as the network thinks; less: safer; 0: the likeliest.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Another number draws another text.")] = 0,
    midi: Annotated[
        Path | None,
        typer.Option(
            help="Also write the tunes of a text in ABC notation to this MIDI file (pip install 'nettool[music]')."
        ),
    ] = None,
) -> None:
    """Let a network that was trained to predict the next character, byte or word write on.

    Example: nettool generate RUN --prompt "X:1" --length 400 --temperature 0.8 --seed 0
    """
    from nettool.workflows import generate as workflow
    from nettool.workflows.midi import check_midi, write_midi
    from nettool.workflows.trained import load_trained

    if midi is not None:
        check_midi(midi)
    trained = load_trained(run)
    pieces = []
    for piece in workflow.generate(trained, prompt.replace("\\n", "\n"), length, temperature, seed):
        pieces.append(piece)
        console.answer(piece)
    console.answer("\n")
    if midi is not None:
        count = write_midi("".join(pieces), midi)
        typer.echo(f"{count} tune{'s' if count != 1 else ''} written to {midi}", err=True)
