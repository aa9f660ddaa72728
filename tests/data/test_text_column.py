"""A table with a column of text, each row's text an example: reviews to classify, or to give stars to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from people import bits, refusal, write

from nettool.config.data import DataSpec, SplitName
from nettool.config.load import load_mapping
from nettool.config.losses import BinaryCrossEntropy, CrossEntropy, LossSpec, MeanSquaredError
from nettool.config.signature import ClassTarget, NumberTarget, Signature, TokenExample
from nettool.data import splits
from nettool.data.bundle import Encoders, TrainingData
from nettool.data.columns import Column, conform
from nettool.data.encode import encode_table, load_split
from nettool.data.prepare import prepare
from nettool.data.sources import read_table
from nettool.data.values import simplify
from nettool.errors import ConfigError

NAMES: tuple[SplitName, ...] = ("train", "validation", "test")
TWO, MANY, MSE = BinaryCrossEntropy(), CrossEntropy(), MeanSquaredError()
WORDS = ("a", "bad", "film", "fun", "good", "the", "was", "so")


def reviews(count: int = 120, seed: int = 0) -> dict[str, Any]:
    """Distinct texts of up to some thirty characters, a class of three to one and a number."""
    random = np.random.default_rng(seed)
    texts = [" ".join(random.choice(WORDS, random.integers(1, 5))) + f" {row}" for row in range(count)]
    return {
        "id": np.arange(count) * 3 + 17,
        "review": texts,
        "liked": np.where(np.arange(count) % 4 == 0, "no", "yes"),
        "stars": random.normal(3, 1, count),
    }


def spec_of(path: Path, values: dict[str, Any] | None = None, **settings: Any) -> DataSpec:
    found = {"path": write(path, values or reviews()), "target": ("liked",), "columns": {"review": "text"}, **settings}
    return DataSpec.model_validate(found)


def read(path: Path, values: dict[str, Any] | None = None, loss: LossSpec = TWO, **settings: Any) -> TrainingData:
    return prepare(spec_of(path, values, **settings), loss)


def vocabulary_of(data: TrainingData) -> Any:
    return data.encoders.features.vocabulary  # type: ignore[union-attr]


def encode(data: TrainingData, *texts: str | None) -> Any:
    table = pa.table({"review": pa.array(texts, pa.string())})
    return encode_table(table, data.encoders, needs_target=False).features


# What an example is


def test_a_text_is_its_characters_codes_and_zeros_behind_its_end(tmp_path: Path) -> None:
    values = reviews()
    found = read(tmp_path / "t.csv", values)
    train, vocabulary = found.splits["train"], vocabulary_of(found)
    assert (train.features.shape, train.features.dtype) == ((84, found.encoders.features.length), np.uint8)  # type: ignore[union-attr]
    for codes, row in zip(train.features, train.rows, strict=True):  # type: ignore[arg-type]
        text = values["review"][row]
        assert vocabulary.decode(codes.tolist()) == text
        assert (codes[: len(text)] >= 2).all()
        assert (codes[len(text) :] == 0).all()


def test_it_classifies_two_or_more_and_predicts_numbers(tmp_path: Path) -> None:
    two = read(tmp_path / "t.csv")
    example = TokenExample(two.encoders.features.length, vocabulary_of(two).size, padded=True)  # type: ignore[union-attr]
    assert two.signature == Signature(example, ClassTarget(("no", "yes"), binary=True))
    three = read(tmp_path / "t.csv", reviews() | {"liked": ["a", "b", "c"] * 40}, MANY)
    assert three.signature.target == ClassTarget(("a", "b", "c"), binary=False)
    number = read(tmp_path / "t.csv", loss=MSE, target=("stars",))
    assert number.signature.target == NumberTarget(("stars",))


def test_the_column_may_be_named_as_the_only_feature(tmp_path: Path) -> None:
    first = read(tmp_path / "a.csv")
    other = read(tmp_path / "b.csv", columns={}, features=("review",), text={})
    assert first.encoders == other.encoders
    assert bits(first.splits["validation"]) == bits(other.splits["validation"])


@pytest.mark.parametrize(
    ("unit", "texts", "codes"),
    [
        ("character", ("ab", "ba", "a€"), [[2, 3], [3, 2], [2, 1]]),
        ("word", ("ab ba", "Ba, ab", "ab no"), [[3, 4, 0], [4, 2, 3], [3, 1, 0]]),
        ("byte", ("ab", "a", "€"), [[99, 100, 0], [99, 0, 0], [228, 132, 174]]),
    ],
)
def test_code_0_is_padding_and_1_unknown_in_every_unit(tmp_path: Path, unit: str, texts: Any, codes: Any) -> None:
    known = {"character": ["ab", "ba"], "word": ["ab ba", "ba, ab"], "byte": ["abc", "ab"]}[unit]
    values = {"review": known * 30, "liked": ["yes", "no"] * 30}
    split = {"train": 1.0, "validation": 0.0, "test": 0.0}
    found = read(tmp_path / "t.csv", values, text={"unit": unit}, split=split)
    assert encode(found, *texts).tolist() == codes


def test_a_missing_text_is_an_empty_one(tmp_path: Path) -> None:
    values = reviews()
    values["review"][::10] = [None] * 12
    found = read(tmp_path / "t.csv", values)
    train = found.splits["train"]
    assert (train.rows % 10 == 0).any()
    assert ((train.features != 0).any(axis=1) == (train.rows % 10 != 0)).all()  # type: ignore[union-attr]
    assert not encode(found, None, "", "  ", "NA").any()


# What is fitted, and on what


def test_the_vocabulary_and_the_length_come_from_the_training_rows_alone(tmp_path: Path) -> None:
    split = {"by": "id"}  # so that other texts leave every row on its side
    first = read(tmp_path / "a.csv", split=split)
    values = reviews()
    others = np.setdiff1d(np.arange(120), first.splits["train"].rows)
    for row in others:
        values["review"][row] = "ÄÖÜ😀" * 20
    second = read(tmp_path / "b.csv", values, split=split)
    assert second.splits["train"].rows.tolist() == first.splits["train"].rows.tolist()
    assert second.encoders.to_json() == first.encoders.to_json()
    assert bits(second.splits["train"]) == bits(first.splits["train"])
    assert (second.splits["validation"].features == 1).all()


def test_no_example_is_longer_than_the_longest_training_text_or_data_text_length(tmp_path: Path) -> None:
    values = reviews()
    found = read(tmp_path / "t.csv", values)
    longest = max(len(values["review"][row]) for row in found.splits["train"].rows)
    assert found.splits["train"].features.shape[1] == longest < 100  # type: ignore[union-attr]
    cut = read(tmp_path / "t.csv", values, text={"length": 7})
    assert cut.splits["train"].features.shape[1] == 7  # type: ignore[union-attr]
    assert (cut.splits["train"].features == found.splits["train"].features[:, :7]).all()  # type: ignore[index]
    assert encode(cut, "the film was so good").tolist() == encode(cut, "the fil").tolist()


def test_what_is_cut_off_is_told(tmp_path: Path) -> None:
    values = reviews()
    count = sum(len(text) > 7 for text in values["review"])
    told = f"{count} texts are longer than data.text.length (7) and end there."
    assert told in read(tmp_path / "t.csv", values, text={"length": 7}).notes


def test_a_text_longer_than_all_of_training_is_not_laid_to_the_config(tmp_path: Path) -> None:
    values, split = reviews(), {"by": "id"}
    row = read(tmp_path / "t.csv", values, split=split).splits["validation"].rows[0]
    values["review"][row] = "so good " * 10
    notes = read(tmp_path / "t.csv", values, split=split).notes
    assert not any("data.text.length (" in note for note in notes)  # which is 100, more than any of them has


def test_only_the_most_frequent_units_have_a_code(tmp_path: Path) -> None:
    values = reviews() | {"review": [f"good film number{row}" for row in range(120)]}
    found = read(tmp_path / "t.csv", values, text={"unit": "word", "vocabulary": 2})
    assert vocabulary_of(found).units == ("film", "good")
    assert encode(found, "Good film number5").tolist() == [[3, 2, 1]]


# Splits


def test_equal_texts_are_on_one_side_whatever_the_other_columns_say(tmp_path: Path) -> None:
    values = reviews(40)
    tripled = {name: np.tile(column, 3) for name, column in values.items()} | {"id": np.arange(120) * 3 + 17}
    spec = spec_of(tmp_path / "t.csv", tripled)
    found = prepare(spec, TWO)
    for name in NAMES:
        rows = load_split(spec, found.encoders, name).rows
        assert set(np.bincount(rows % 40).tolist()) <= {0, 3}


def test_more_texts_than_are_hashed_are_split_by_the_fractions_in_each_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(splits, "MAX_TEXTS", 100, raising=False)
    values = {name: reviews(400)[name] for name in ("review", "liked")}
    spec = spec_of(tmp_path / "t.csv", values)
    found = prepare(spec, TWO)
    sizes = {name: len(load_split(spec, found.encoders, name)) for name in NAMES}
    assert sizes == {"train": 280, "validation": 60, "test": 60}
    for split in found.splits.values():
        assert split.target is not None
        assert float(np.mean(split.target)) == pytest.approx(0.75, abs=0.02)


def test_a_hundred_thousand_texts_do_not_fall_into_one_group() -> None:
    count = 100_001
    raw = simplify(
        pa.table(
            {"review": [f"text {row}" for row in range(count)], "liked": ["yes", "no", "no"] * 33_333 + ["no"] * 2}
        )
    )
    columns = (Column("review", "text", "feature"), Column("liked", "boolean", "target"))
    assert len(np.unique(splits.content_keys(conform(raw, columns), columns, raw, 0))) == count


def test_stored_encoders_give_the_bits_that_training_had_from_every_format(tmp_path: Path) -> None:
    found = read(tmp_path / "t.csv")
    encoders = Encoders.from_json(found.encoders.to_json())
    spec = spec_of(tmp_path / "t.csv")
    assert bits(load_split(spec, encoders, "train")) == bits(found.splits["train"])
    parquet = spec_of(tmp_path / "t.parquet")
    assert bits(load_split(parquet, encoders, "train")) == bits(found.splits["train"])
    table = read_table(tmp_path / "t.parquet")
    rows = found.splits["validation"].rows
    assert (
        encode_table(table, encoders, needs_target=True).features[rows] == found.splits["validation"].features
    ).all()


# What is told, and what cannot be


def test_columns_beside_the_text_are_left_out_with_a_note(tmp_path: Path) -> None:
    note = read(tmp_path / "t.csv").notes[0]
    assert note.startswith('"id", "stars" are left out')
    assert '"review"' in note
    assert not any("left out" in note for note in read(tmp_path / "t.csv", features=("review",)).notes)


def test_weights_come_along(tmp_path: Path) -> None:
    found = read(tmp_path / "t.csv", reviews() | {"weight": np.arange(120) % 5}, weights="weight")
    train = found.splits["train"]
    assert train.weights is not None
    assert train.weights.tolist() == (train.rows % 5).tolist()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"columns": {}, "text": {}}, "data.text: which column holds the text? Name it: `data.columns: {NAME: text}`."),
        (
            {"columns": {"review": "text", "more": "text"}},
            'data.columns.more: is of kind text, but "review" is the network\'s input already; it takes one image or text.',
        ),
        ({"columns": {"stars": "text"}}, 'column "stars" is to be text, but holds numbers. Cure: another kind'),
        ({"columns": {"revue": "text"}}, 'data.columns.revue: the table has no column "revue". Did you mean "review"?'),
    ],
    ids=["none named", "two", "numbers", "a typing error"],
)
def test_a_column_that_cannot_be_the_text_is_named(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    spec = spec_of(tmp_path / "t.csv", reviews() | {"more": reviews(seed=1)["review"]}, **settings)
    assert said in " ".join(refusal(spec, TWO).split())


def test_a_window_over_texts_is_refused(tmp_path: Path) -> None:
    data = {"path": write(tmp_path / "t.csv", reviews()), "target": "liked", "columns": {"review": "text"}, "window": 3}
    with pytest.raises(ConfigError, match=r"data\.window: "):
        prepare(load_mapping({"data": data, "layers": ["output"], "loss": "mse"}).experiment.data, TWO)


def test_a_column_that_is_not_there_is_named_once_and_where_it_is_written(tmp_path: Path) -> None:
    said = refusal(spec_of(tmp_path / "t.csv", columns={"revue": "text"}), TWO)
    assert said == 'data.columns.revue: the table has no column "revue". Did you mean "review"?'


def test_a_target_that_is_declared_text_is_not_answered_with_a_lack_of_columns(tmp_path: Path) -> None:
    said = refusal(spec_of(tmp_path / "t.csv", target=("review",)), MANY)
    assert said.startswith("data.columns.review: ")
    assert "no other column" not in said
