"""nettool generate --midi: the tunes in a text of ABC notation as a MIDI file, so that one can listen to them.

music21 reads the notation and writes the file; it is an extra, `nettool[music]`, and only imported when it is needed.
What it leaves to others is here: to find the tunes in a text that a model has made up, to take from them what music21
stumbles over, and the repeats.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from nettool.errors import DataError, UsageError
from nettool.runs import durable

FORMATS = (".mid", ".midi")
"""What a MIDI file may end in."""

PAUSE = Fraction(4)
"""The silence between two tunes, in quarter notes. At MIDI's usual 120 a minute it lasts two seconds."""

LONGEST = Fraction(3600)
"""In quarter notes, half an hour. What goes on for longer is no tune but a length like A99999."""

_REPLACED = (
    (r'%.*|"[^"]*"?|![A-Za-z0-9.()<>+]+!|\{[^}]*\}', ""),  # comments, chord names, decorations, grace notes
    (r"x", "z"),  # a rest that is not printed
    (r"(?<=\|)\s*\[?[1-9][-,\d]*|\[[1-9][-,\d]*", "[1"),  # any ending, where music21 knows two
    (r"\[(?![1|]|[^\[\]|]*\])", ""),  # a bracket that opens no chord
    (r"\((?!\d)", ""),  # slurs
    (r"[^A-Ga-gz0-9^_=,'/(<>|:\[\] -]|(?<![|:]):(?![|:])", ""),  # whatever else is not music
    (r"((?:\^\^?|__?|=)(?=[A-Ga-g]))|[\^_=]", r"\1"),  # an accidental of no note
    (r"(?<=[A-G]):", " :"),  # or else the repeat in "A::B" makes a field named A
)
"""What is replaced in a line of music, in this order."""


class _Note(NamedTuple):
    """pitches: MIDI's numbers, none for a rest. length: in quarter notes. tied: goes on from the note before."""

    pitches: frozenset[int]
    length: Fraction
    tied: bool


class _Sound(NamedTuple):
    """One pitch from `start` to `end`, in quarter notes from the beginning of the tune."""

    start: Fraction
    end: Fraction
    pitch: int


@dataclass
class _Bar:
    """Notes between two bar lines, and what these say about repeats."""

    notes: list[_Note] = field(default_factory=list)
    begins_part: bool = False
    begins_ending: bool = False
    ends_repeat: bool = False


def check_midi(path: Path) -> None:
    """Raise UsageError where no MIDI file can be written to this path, or without music21."""
    if path.suffix not in FORMATS:
        raise UsageError(f"{path}: MIDI is written as {' or '.join(FORMATS)}; name a file with such an ending.")
    if path.exists():
        raise UsageError(f"{path} is there already; name another file, or remove it first.")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}.")
    if importlib.util.find_spec("music21") is None:
        raise UsageError("MIDI needs music21, which is not installed: pip install 'nettool[music]'.")


def write_midi(abc: str, path: Path) -> int:
    """Write the tunes in a text of ABC notation to a MIDI file, one after another; returns how many they are.

    A tune begins with a line `X:`; the last may be cut off. Those that cannot be read are left out. One voice is
    played, without grace notes and ornaments, at 120 quarter notes a minute.
    Raises UsageError as `check_midi` does, and DataError where there is no tune that can be read.
    """
    check_midi(path)
    found = split_tunes(abc)
    tunes = [sounds for sounds in map(_read_tune, found) if sounds]
    if not tunes:
        raise DataError(f"{path} is not written: {_why_none(len(found))} {_CURE}")
    durable.write_file(path, _midi_bytes(tunes))
    return len(tunes)


_CURE = "Generate more with a longer --length, or take fewer risks with a lower --temperature."


def _why_none(num_found: int) -> str:
    if not num_found:
        return "no tune begins in the text, as none of its lines starts with X:."
    tunes = "the one tune" if num_found == 1 else f"each of the {num_found} tunes"
    return f"{tunes} that begins in the text lacks a line K: with notes after it, or is broken beyond reading."


def split_tunes(abc: str) -> list[str]:
    """The tunes in a text, each from its line X: to the next one's. What stands before the first is left out."""
    return [part for part in re.split(r"^(?=X:)", abc, flags=re.MULTILINE) if part.startswith("X:")]


def _read_tune(tune: str) -> list[_Sound]:
    """What sounds in a tune; nothing where it cannot be read."""
    try:
        bars = _read_bars(_plain(tune))
    except Exception:  # music21 meets broken notation with whatever error comes of it, from IndexError to its own
        return []
    sounds = _sounds(note for bar in _played(bars) for note in bar.notes)
    return sounds if sounds and max(sound.end for sound in sounds) <= LONGEST else []


def _plain(tune: str) -> str:
    """The tune with nothing but meter, unit length, keys, and music: what bears on pitches and lengths.

    music21 lets some signs swallow the music up to the next of their kind, however many lines below: the ! that old
    books set at the end of a line, a quotation mark, a bracket.
    """
    # A change within a line becomes a line.
    lines = re.sub(r"\[([A-Za-z]:[^\]\n]*)\]", r"\n\1\n", tune).splitlines()
    header = list(takewhile(lambda line: not line.startswith("K:"), lines))
    kept = [line for line in header if line.startswith(("L:", "M:"))] or ["L:1/8"]
    for line in lines[len(header) :]:
        if re.match(r"[A-Za-z]:(?![|:])", line):
            kept += [line] if line.startswith(("K:", "L:", "M:")) else []
        else:
            for pattern, replacement in _REPLACED:
                line = re.sub(pattern, replacement, line)
            kept.append(line)
    return "\n".join(kept) + "\n"


def _read_bars(abc: str) -> list[_Bar]:
    from music21.abcFormat import ABCBar, ABCChord, ABCHandler, ABCNote
    from music21.pitch import Pitch

    # From version 2 on an accidental holds to the end of its bar, as it does in printed music.
    handler = ABCHandler(abcVersion=(2, 1, 0))
    handler.process(abc)
    bars = [_Bar()]
    for token in handler.tokens:
        if isinstance(token, ABCBar):
            bars[-1].ends_repeat = token.repeatForm == "end"
            # By the standard, a repeat goes back to the latest double bar where no |: says to where.
            starts = not token.isRegular() and not bars[-1].ends_repeat
            bars.append(_Bar(begins_part=starts, begins_ending=bool(token.isRepeatBracket())))
        elif isinstance(token, ABCNote):
            struck = token.subTokens if isinstance(token, ABCChord) else [token]
            names = {note.pitchName for note in struck if isinstance(note, ABCNote)}
            pitches = frozenset(Pitch(name).midi for name in names if name is not None)
            length = Fraction(token.quarterLength)
            if token.activeTuplet:
                length *= Fraction(token.activeTuplet.tupletMultiplier())
            bars[-1].notes.append(_Note(pitches, length, token.tie in ("continue", "stop")))
    return bars


def _played(bars: list[_Bar]) -> Iterator[_Bar]:
    """The bars in the order in which they are played, with every repeat."""
    begin = 0
    for index, bar in enumerate(bars):
        if bar.begins_part:
            begin = index
        yield bar
        if bar.ends_repeat:
            yield from takewhile(lambda again: not again.begins_ending, bars[begin : index + 1])
            begin = index + 1


def _sounds(notes: Iterable[_Note]) -> list[_Sound]:
    sounds: list[_Sound] = []
    latest: dict[int, int] = {}  # of each pitch, the index of its latest sound
    now = Fraction(0)
    for note in notes:
        for pitch in sorted(note.pitches):
            index = latest.get(pitch)
            if note.tied and index is not None and sounds[index].end == now:
                # Of two tied notes only the first is struck.
                sounds[index] = sounds[index]._replace(end=now + note.length)
            elif note.length:
                latest[pitch] = len(sounds)
                sounds.append(_Sound(now, now + note.length, pitch))
        now += note.length
    return sounds


def _midi_bytes(tunes: list[list[_Sound]]) -> bytes:
    from music21.midi import ChannelVoiceMessages, DeltaTime, MetaEvents, MidiEvent, MidiFile, MidiTrack

    file, track = MidiFile(), MidiTrack()
    # When, whether it is struck, and which. Sorted, a pitch is let go before it is struck again.
    changes: list[tuple[int, bool, int]] = []
    begin = Fraction(0)
    for sounds in tunes:
        for sound in sounds:
            start = round((begin + sound.start) * file.ticksPerQuarterNote)
            end = round((begin + sound.end) * file.ticksPerQuarterNote)
            if start < end:
                changes += [(start, True, sound.pitch), (end, False, sound.pitch)]
        begin += max(sound.end for sound in sounds) + PAUSE
    now = 0
    for time, struck, pitch in sorted(changes):
        event = MidiEvent(track, ChannelVoiceMessages.NOTE_ON if struck else ChannelVoiceMessages.NOTE_OFF)
        event.pitch, event.velocity = pitch, 90 if struck else 0
        track.events += [DeltaTime(track, time=time - now), event]
        now = time
    last = MidiEvent(track, MetaEvents.END_OF_TRACK)
    last.data = b""
    track.events += [DeltaTime(track), last]
    file.tracks.append(track)
    return file.writestr()
