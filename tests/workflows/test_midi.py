"""The MIDI of tunes in ABC notation: what one hears is what is written, and broken text does no harm."""

from __future__ import annotations

import contextlib
import importlib.util
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from music21.midi import MidiFile

from nettool.errors import DataError, UsageError
from nettool.runs import durable
from nettool.workflows.midi import PAUSE, check_midi, write_midi

SAMPLE = Path(__file__).parents[2] / "configs" / "data" / "irish_sample.abc"
HEADER = "X:1\nT:A tune\nM:4/4\nL:1/8\nK:C\n"

C, D, E, F, G, A, B = 60, 62, 64, 65, 67, 69, 71

Heard = list[tuple[float, float, int]]
"""When a note starts, how long it lasts, both in quarter notes, and its pitch; in the order of these."""


def read(path: Path) -> Heard:
    file = MidiFile()
    file.readstr(path.read_bytes())
    heard = []
    for track in file.tracks:
        now = 0
        struck: dict[int | None, int] = {}
        for event in track.events:
            if event.isDeltaTime():
                now += event.time
            elif event.isNoteOn():
                assert event.pitch not in struck
                struck[event.pitch] = now
            elif event.isNoteOff():
                assert event.pitch is not None
                start = struck.pop(event.pitch)
                heard.append((start, now - start, event.pitch))
        assert not struck
    quarter = file.ticksPerQuarterNote
    return sorted((start / quarter, length / quarter, pitch) for start, length, pitch in heard)


def played(music: str, folder: Path, header: str = HEADER) -> Heard:
    path = folder / "tune.mid"
    assert write_midi(header + music, path) == 1
    heard = read(path)
    path.unlink()
    return heard


def pitches(music: str, folder: Path, header: str = HEADER) -> list[int]:
    return [pitch for _, _, pitch in played(music, folder, header)]


def test_notes_have_the_pitches_and_lengths_that_are_written(tmp_path: Path) -> None:
    assert played("C2 E/ G/ z c'4 | B,3/2 A//\n", tmp_path) == [
        (0, 1, C),
        (1, 0.25, E),
        (1.25, 0.25, G),
        (2, 2, C + 24),
        (4, 0.75, B - 12),
        (4.75, 0.125, A),
    ]


@pytest.mark.parametrize(
    ("music", "heard"),
    [
        ("C>D E<F", [(0, 0.75, C), (0.75, 0.25, D), (1, 0.25, E), (1.25, 0.75, F)]),
        ("(3CDE F", [(0, 1 / 3, C), (1 / 3, 1 / 3, D), (2 / 3, 1 / 3, E), (1, 0.5, F)]),
        ("[CE]2 [GB]", [(0, 1, C), (0, 1, E), (1, 0.5, G), (1, 0.5, B)]),
        ("C4- | C2 C2", [(0, 3, C), (3, 1, C)]),
        ("(CD) {g}E", [(0, 0.5, C), (0.5, 0.5, D), (1, 0.5, E)]),
        ("L:1/4\nC [L:1/16] D", [(0, 1, C), (1, 0.25, D)]),
    ],
    ids=["broken rhythm", "triplet", "chords", "tie", "slur and grace note", "changes of unit"],
)
def test_signs_change_lengths_as_the_standard_says(music: str, heard: Heard, tmp_path: Path) -> None:
    assert played(music, tmp_path) == [pytest.approx(note, abs=1e-3) for note in heard]


def test_keys_and_accidentals_change_pitches_to_the_end_of_the_bar(tmp_path: Path) -> None:
    header = HEADER.replace("K:C", "K:D Mixolydian")
    assert pitches("FC ^GG | G =F F | F\nK:F\nB", tmp_path, header) == [
        *(F + 1, C, G + 1, G + 1),
        *(G, F, F),
        *(F + 1, B - 1),
    ]


@pytest.mark.parametrize(
    ("music", "order"),
    [
        ("C|D:|E|F:|", "CDCDEFEF"),
        ("C|D|:E|F:|G", "CDEFEFG"),
        ("C|D::E|F:|", "CDCDEFEF"),
        ("C|[1 D|E:|[2 F|G|]", "CDECFG"),
        ("C|D|1 E:|2 F|]", "CDECDF"),
        ("C|D:|\nE|[1 F:|[2 G||\nA|B:|", "CDCDEFEGABAB"),
        ("C|D||E|F:|", "CDEFEF"),
    ],
)
def test_repeats_are_played(music: str, order: str, tmp_path: Path) -> None:
    assert pitches(music, tmp_path) == [globals()[name] for name in order]


@pytest.mark.parametrize(
    "music",
    [
        "CD|!\nE|!\nF|]!\n",
        'CD "Am" E "unfinished\nF',
        "C !trill! D ~E .F % and so on, CDEFG",
        "CD [ E\nF ]",
        "CD [V:1] E ^ = {\nF",
        "CD\nw: words to the tune\nEF",
    ],
    ids=["old line breaks", "quotation marks", "ornaments", "brackets", "signs of nothing", "words"],
)
def test_what_makes_no_sound_swallows_none(music: str, tmp_path: Path) -> None:
    assert pitches(music, tmp_path) == [C, D, E, F]


def test_note_without_length_is_not_struck(tmp_path: Path) -> None:
    assert pitches("C D0 E/99999 F", tmp_path) == [C, F]


def test_pitches_stay_in_the_range_of_midi(tmp_path: Path) -> None:
    music = " ".join(f"C{',' * octaves} c{octaves * chr(39)}" for octaves in range(20))
    heard = pitches(music, tmp_path)
    assert len(heard) == 40
    assert 0 <= min(heard) <= max(heard) < 128


def test_tunes_follow_one_another_after_a_pause(tmp_path: Path) -> None:
    path = tmp_path / "two.mid"
    assert write_midi(f"the end of one\n{HEADER}C4 D4|\n\n{HEADER}E4|\n", path) == 2
    second = 4 + float(PAUSE)
    assert read(path) == [(0, 2, C), (2, 2, D), (second, 2, E)]


@pytest.mark.parametrize("end", ["", "X:", "X:2\nT:Cut o", HEADER, HEADER + "|"])
def test_last_tune_may_be_cut_off(end: str, tmp_path: Path) -> None:
    path = tmp_path / "cut.mid"
    assert write_midi(f"{HEADER}CD|EF|\n\n{HEADER}GA|B\n\n{end}", path) == 2
    assert [pitch for _, _, pitch in read(path)] == [C, D, E, F, G, A, B]


@pytest.mark.parametrize("broken", ["C/0", "A99999", "A" + "9" * 5000, "(3:", "M:9/\nC"])
def test_tune_that_cannot_be_read_is_left_out(broken: str, tmp_path: Path) -> None:
    path = tmp_path / "one.mid"
    assert write_midi(f"{HEADER}{broken}\n{HEADER}CDE\n", path) == 1
    assert [pitch for _, _, pitch in read(path)] == [C, D, E]


def test_unit_follows_from_the_meter_where_none_is_given(tmp_path: Path) -> None:
    assert played("C", tmp_path, "X:1\nK:C\n") == [(0, 0.5, C)]
    assert played("C", tmp_path, "X:1\nM:2/4\nK:C\n") == [(0, 0.25, C)]


def test_real_tunes_are_all_played(tmp_path: Path) -> None:
    text = SAMPLE.read_text(encoding="utf-8")
    first_ten = text[: text.index("X:11\n")]
    path = tmp_path / "ten.midi"
    assert write_midi(first_ten, path) == 10
    # Alexander's, in D, whose first part lasts 8 bars, the pickup and the short last bar together being one.
    heard = read(path)
    assert heard[:5] == [
        pytest.approx(note, abs=1e-3)
        for note in [(0, 1 / 3, A), (1 / 3, 1 / 3, B), (2 / 3, 1 / 3, C + 13), (1, 0.5, D + 12), (1.5, 0.5, A)]
    ]
    assert heard[heard.index((31, 1, D + 12)) + 1] == pytest.approx((32, 1 / 3, A), abs=1e-3)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no tune begins in the text, as none of its lines starts with X:."),
        (" X:1 is not at the start\nCDE", "no tune begins in the text, as none of its lines starts with X:."),
        (
            "X:1\nT:the title of",
            "the one tune that begins in the text lacks a line K: with notes after it, or is broken beyond reading.",
        ),
        (
            "X:1\nK:C\n|||\nX:2\nK:C\nC/0\nX:3\nCDE",
            "each of the 3 tunes that begins in the text lacks a line K: with notes after it, or is broken beyond reading.",
        ),
    ],
)
def test_text_without_a_tune_is_refused_with_the_reason_and_the_cure(text: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "none.mid"
    with pytest.raises(DataError) as error:
        write_midi(text, path)
    assert str(error.value) == (
        f"{path} is not written: {why} "
        "Generate more with a longer --length, or take fewer risks with a lower --temperature."
    )
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("call", [check_midi, lambda path: write_midi(f"{HEADER}CDE", path)])
def test_file_is_never_overwritten(call: Callable[[Path], object], tmp_path: Path) -> None:
    path = tmp_path / "mine.mid"
    path.write_bytes(b"my own work")
    with pytest.raises(UsageError) as error:
        call(path)
    assert str(error.value) == f"{path} is there already; name another file, or remove it first."
    assert path.read_bytes() == b"my own work"


def test_path_that_cannot_be_written_is_refused_beforehand(tmp_path: Path) -> None:
    for name, message in (
        ("tune.mp3", "MIDI is written as .mid or .midi; name a file with such an ending."),
        ("nowhere/tune.mid", f"there is no folder {tmp_path / 'nowhere'}."),
    ):
        with pytest.raises(UsageError) as error:
            check_midi(tmp_path / name)
        assert str(error.value) == f"{tmp_path / name}: {message}"
    check_midi(tmp_path / "tune.mid")


def test_missing_library_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError) as error:
        check_midi(tmp_path / "tune.mid")
    assert str(error.value) == "MIDI needs music21, which is not installed: pip install 'nettool[music]'."


@settings(max_examples=60, deadline=None)
@given(st.text(st.sampled_from("ABCdefgz|:[]()123/^_=-><!\"{}%~'\n ,KLMX²é\0"), max_size=60))
def test_any_text_after_a_header_is_played_or_left_out_in_silence(
    tmp_path_factory: pytest.TempPathFactory, music: str
) -> None:
    path = tmp_path_factory.mktemp("any") / "tune.mid"
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            assert write_midi(HEADER + music, path) >= 1
        except DataError:
            assert not path.exists()
        else:
            assert read(path)
    assert said.getvalue() == ""


def test_file_is_written_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Path] = []
    monkeypatch.setattr(durable, "write_file", lambda path, content: written.append(path))
    write_midi(f"{HEADER}CDE", tmp_path / "tune.mid")
    assert written == [tmp_path / "tune.mid"]
