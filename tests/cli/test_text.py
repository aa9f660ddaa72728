"""Text through the command line: train on it, write on from it, and tell texts of a table apart."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from nettool.workflows.generate import generate
from nettool.workflows.trained import load_trained
from tests.cli.conftest import Nettool
from tests.same_run import assert_same_run

NETWORKS = {
    "lstm": "[{embedding: 8}, {lstm: {units: 8, layers: 2, dropout: 0.3}}, output]",
    "gpt": "[{embedding: 8}, positional, {transformer: {heads: 2, causal: true, dropout: 0.1}}, layer_norm, output]",
}
EITHER = pytest.mark.parametrize("network", ["lstm", "gpt"])
TUNES = [f"X:{number}\nK:D\n|:{'abde fga' * 2}|{'dfaf ' * 3}:|\n\n" for number in range(20)]


def write_config(network: str = "lstm", text: str = "".join(TUNES), unit: str = "character", length: int = 12) -> Path:
    Path("text.txt").write_text(text)
    path = Path(f"{network}.yaml")
    path.write_text(
        f"data: {{path: text.txt, target: next, text: {{unit: {unit}, length: {length}}}, split: [0.8, 0.2, 0]}}\n"
        f"layers: {NETWORKS[network]}\n"
        "loss: cross_entropy\n"
        "optimizer: {name: adam, lr: 0.02}\n"
        "epochs: 2\n"
    )
    return path


@pytest.fixture
def run(nettool: Nettool) -> str:
    return nettool("train", write_config()).out.strip()


@pytest.fixture
def classifier(nettool: Nettool) -> str:
    draw = random.Random(0)
    lines = ["number,review,liked"]
    for number in range(120):
        good = number % 2
        words = draw.choices(["good", "fun", "great"] if good else ["bad", "dull", "awful"], k=3)
        lines.append(f'{number},"a {" and ".join(words)} film, {number}",{"yes" if good else "no"}')
    Path("reviews.csv").write_text("\n".join(lines) + "\n")
    Path("reviews.yaml").write_text(
        "data: {path: reviews.csv, target: liked, columns: {review: text}, text: {unit: word}}\n"
        "layers: [{embedding: 8}, {gru: 8}, output]\n"
        "loss: binary_cross_entropy\n"
        "optimizer: {name: adam, lr: 0.05}\n"
        "epochs: 5\n"
    )
    return nettool("train", "reviews.yaml").out.strip()


# Train and evaluate


@EITHER
def test_each_epoch_is_recorded_with_the_metrics_of_the_next_token(nettool: Nettool, network: str) -> None:
    run = nettool("train", write_config(network)).out.strip()
    with Path(run, "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [*rows[0]] == [
        "epoch", "step", "train_loss", "validation_loss", "bits_per_character", "accuracy", "lr", "seconds",
        "examples_per_second",
    ]  # fmt: skip
    assert [row["epoch"] for row in rows] == ["1", "2"]
    record = json.loads(Path(run, "run.json").read_text())
    assert record["metrics"].keys() == {"validation_loss", "bits_per_character", "accuracy"}
    assert record["baseline"].keys() == {"bits_per_character", "accuracy"}


@EITHER
def test_eval_gives_the_recorded_numbers_to_the_bit(nettool: Nettool, network: str) -> None:
    run = nettool("train", write_config(network)).out.strip()
    record = json.loads(Path(run, "run.json").read_text())
    answer = json.loads(nettool("eval", run, "--json").out)
    assert (answer["data"], answer["loss"]) == ("validation", record["metrics"]["validation_loss"])
    for name in ("bits_per_character", "accuracy"):
        assert answer["metrics"][name] == record["metrics"][name]
        assert answer["baseline"][name] == record["baseline"][name]
    assert answer["loss"] == pytest.approx(answer["metrics"]["bits_per_character"] * np.log(2), rel=1e-6)


def test_another_text_can_be_evaluated(nettool: Nettool, run: str) -> None:
    Path("other.txt").write_text(TUNES[3] + TUNES[5])
    answer = json.loads(nettool("eval", run, "--data", "other.txt", "--json").out)
    assert answer["num_examples"] == (len(TUNES[3] + TUNES[5]) - 1) // 12


@EITHER
def test_training_a_runs_config_again_gives_the_same_bytes(nettool: Nettool, network: str) -> None:
    first = Path(nettool("train", write_config(network)).out.strip())
    second = Path(nettool("train", first / "config.yaml").out.strip())
    assert_same_run(first, second)


def test_a_text_without_a_target_is_answered_with_the_one_it_can_have(nettool: Nettool) -> None:
    path = write_config()
    path.write_text(path.read_text().replace("target: next, ", ""))
    result = nettool("check", path)
    assert result.code == 2
    assert "target: next" in result.err


# Generate


@EITHER
def test_the_prompt_and_exactly_so_many_characters_are_written(nettool: Nettool, network: str) -> None:
    run = nettool("train", write_config(network)).out.strip()
    result = nettool("generate", run, "--prompt", "X:1\\nK:D", "--length", "40")
    assert result.code == 0
    assert result.out.startswith("X:1\nK:D")
    assert len(result.out) == len("X:1\nK:D") + 40 + len("\n")
    assert set(result.out) <= set("".join(TUNES))


def test_the_same_seed_writes_the_same_text_and_another_another(nettool: Nettool, run: str) -> None:
    first, again, other = (nettool("generate", run, "--length", "80", "--seed", seed).out for seed in "778")
    assert first == again != other
    assert nettool("generate", "--length", "50", "--seed", "7").out[:50] == first[:50]


@EITHER
def test_temperature_0_takes_the_likeliest_character_whatever_the_seed(nettool: Nettool, network: str) -> None:
    run = nettool("train", write_config(network)).out.strip()
    command = ("generate", run, "--prompt", "X:", "--length", "30", "--temperature", "0")
    first, other = (nettool(*command, "--seed", seed).out for seed in "12")
    assert first == other
    trained = load_trained(Path(run))
    vocabulary = trained.encoders.features.vocabulary  # type: ignore[union-attr]
    codes = vocabulary.encode("X:").tolist()
    for _ in range(30):
        seen = codes if network == "lstm" else codes[-12:]  # attention looks back on `length` steps, a state on all
        with torch.no_grad():
            logits = trained.network(torch.tensor([seen]))[0, -1]
        codes.append(1 + int(logits[1:].argmax()))
    assert first == vocabulary.decode(codes) + "\n"


def test_a_reader_of_a_pipe_gets_the_text_while_it_is_written(nettool: Nettool, run: str) -> None:
    whole = nettool("generate", run, "--prompt", "X:1", "--length", "60", "--seed", "3").out
    command = [sys.executable, "-m", "nettool_cli", "generate", run, "--prompt", "X:1", "--length", "9999999"]
    with subprocess.Popen([*command, "--seed", "3"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        read = os.read(process.stdout.fileno(), 63)
        while len(read) < 63 and (more := os.read(process.stdout.fileno(), 63 - len(read))):
            read += more
        assert process.poll() is None, "it was collected before it was written"
        process.stdout.close()  # as `| head` does
        assert (process.wait(timeout=60), process.stderr.read()) == (0, b"")
    assert read.decode() == whole[:63]


def test_words_are_written_with_blanks_between_them(nettool: Nettool) -> None:
    run = nettool("train", write_config(text="The cat sat, and the dog ran. " * 20, unit="word", length=5)).out.strip()
    written = nettool("generate", run, "--prompt", "The cat", "--length", "12").out
    assert written.startswith("The cat ")
    assert len(written.split(" ")) == 14
    assert set(written.lower().split()) <= {"the", "cat", "sat", ",", "and", "dog", "ran", "."}
    result = nettool("generate", run, "--prompt", "The mouse sat")
    assert (result.code, result.out) == (2, "")
    assert 'the vocabulary has no word "mouse"' in result.err


def test_bytes_become_valid_text(nettool: Nettool) -> None:
    run = nettool("train", write_config(text="grün, süß, 日本語 😀\n" * 30, unit="byte")).out.strip()
    text = "".join(generate(load_trained(Path(run)), "süß", 300, 1.0, 0))
    assert text.encode().decode() == text
    assert text.startswith("süß")
    assert nettool("generate", run, "--prompt", "süß", "--length", "300").out == text + "\n"


def test_a_prompt_that_is_not_utf_8_is_no_bug(nettool: Nettool) -> None:
    run = nettool("train", write_config(text="süß " * 60, unit="byte")).out.strip()
    result = nettool("generate", run, "--prompt", b"s\xfc".decode(errors="surrogateescape"), "--length", "5")
    assert result.code in (0, 2), result.err


def test_a_pipe_that_cannot_take_a_character_gets_another(nettool: Nettool, monkeypatch: pytest.MonkeyPatch) -> None:
    run = nettool("train", write_config(text="grün, süß, 日本語 😀\n" * 30)).out.strip()
    taken = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(taken, encoding="ascii"))
    result = nettool("generate", run, "--prompt", "süß", "--length", "20")
    assert result.code == 0, result.err
    assert taken.getvalue().startswith(b"s")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--prompt", "X:1é☃"), 'the vocabulary has no character "é", "☃", so it knows nothing of them.'),
        (("--temperature", "-1"), "--temperature: must be 0 or more, not -1. 1 is usual, 0.5 takes fewer risks."),
        (("--temperature", "nan"), "--temperature: must be 0 or more, not nan."),
        (("--length", "0"), "--length"),
        (("--seed", str(2**64)), "--seed"),
        (("--midi", "there.mid"), "there.mid is there already; name another file, or remove it first."),
        (("--midi", "tune.wav"), "tune.wav: MIDI is written as .mid or .midi; name a file with such an ending."),
    ],
    ids=lambda value: value[0].lstrip("-") if isinstance(value, tuple) else "",
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(
    nettool: Nettool, run: str, options: tuple[str, ...], said: str
) -> None:
    Path("there.mid").write_bytes(b"mine")
    result = nettool("generate", run, *options)
    assert (result.code, result.out) == (2, ""), result.err
    assert said in result.err
    assert Path("there.mid").read_bytes() == b"mine"


def test_a_run_that_is_missing_or_predicts_no_text_is_named(nettool: Nettool, classifier: str) -> None:
    missing = nettool("generate", "runs/reviews-0002")
    assert (missing.code, missing.out) == (2, "")
    assert missing.err == "nettool: runs/reviews-0002: no such run. Did you mean runs/reviews-0001?\n"
    other = nettool("generate", classifier, "--prompt", "good")
    assert (other.code, other.out) == (2, "")
    assert "does not predict the next token, so it cannot write text." in other.err
    assert "for this one there is `nettool predict`" in other.err


@pytest.mark.parametrize("arguments", [("text.txt",), ("text=abc",), ()], ids=["a file", "a value", "nothing"])
def test_predict_sends_a_run_that_writes_text_to_generate(
    nettool: Nettool, run: str, arguments: tuple[str, ...]
) -> None:
    result = nettool("predict", run, *arguments)
    assert (result.code, result.out) == (2, "")
    assert "predicts the next token of a text: nettool generate" in result.err


# Texts of a table


def test_a_text_is_classified_from_the_command_line_and_from_a_table(nettool: Nettool, classifier: str) -> None:
    for review, answers in (("A great and FUN film", ["yes"]), ("dull = awful, 3", ["no"]), ("", ["yes", "no"])):
        shown = dict(line.split() for line in nettool("predict", classifier, f"review={review}").out.splitlines())
        assert shown["predicted_liked"] in answers
    rows = list(csv.DictReader(io.StringIO(nettool("predict", classifier, "reviews.csv").out)))
    assert [*rows[0]] == ["number", "review", "liked", "predicted_liked", "probability_no", "probability_yes"]
    assert sum(row["liked"] == row["predicted_liked"] for row in rows) > 110


def test_a_review_may_be_longer_than_a_files_name(nettool: Nettool, classifier: str) -> None:
    found = nettool("predict", classifier, "review=" + "a great and fun film and " * 40)
    assert found.code == 0, found.err
    assert "predicted_liked" in found.out


def test_eval_of_texts_gives_the_recorded_numbers_to_the_bit(nettool: Nettool, classifier: str) -> None:
    record = json.loads(Path(classifier, "run.json").read_text())
    answer = json.loads(nettool("eval", classifier, "--split", "validation", "--json").out)
    assert answer["loss"] == record["metrics"]["validation_loss"]
    assert answer["metrics"]["accuracy"] == record["metrics"]["accuracy"]
