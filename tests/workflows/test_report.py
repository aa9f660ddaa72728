"""What stands on the page of a report, before any browser sees it: words, numbers, escapes, well-formed HTML."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nettool.config.signature import ClassTarget, LabelTarget, NumberTarget
from nettool.workflows.report.blocks import (
    Cell,
    Code,
    Commands,
    Facts,
    Finding,
    Gallery,
    Page,
    Picture,
    Section,
    Table,
    Text,
    counted,
    duration,
    isolated,
    measured,
    moment,
    number,
    share,
    shown,
    word,
)
from nettool.workflows.report.colours import Token, yaml_tokens
from nettool.workflows.report.page import as_html
from nettool.workflows.report.story import Judged, answer_of, ending_of, status_of
from nettool.workflows.report.tables import MOST_EPOCHS, epochs_table
from nettool.workflows.words import listed

EVIL = "</script><b>\"'`&{{ 7*7 }}{% raw %}<!--"
VOID = {"meta", "link", "img", "br"}


def page_of(text: str) -> Page:
    """A page that says this wherever a user's words may stand."""
    tokens = [Token(text, "key"), Token(text)]
    picture = Picture(text, text, text, "data:image/png;base64,AA==", 900, 400)
    table = Table(text, (text, "n"), [(Cell(text, href="x"), Cell(text, 1.0)), (word(text), measured(None))], 0, text)
    blocks = [
        Text(text), table, replace(table, folded=text), Gallery([picture]), Code(text, tokens), Code(text, tokens, text),
        Facts([(text, text)]), Facts([(text, text)], is_code=True), Commands([(text, text)]),
        Finding(text, text, [text], tokens),
        Table(text, (text,), [(Cell(text, image="data:image/png;base64,AA=="),), (Cell(text, is_code=True),)]),
    ]  # fmt: skip
    return Page(text, text, text, "bad", text, text, [(text, text)], [Section("one", text, blocks)], [text])


class Strict(HTMLParser):
    """Every element is closed where it must be; all text and all attributes are kept."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), f"an attribute of {tag} is there twice"
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


# --- the page ------------------------------------------------------------------------------------------------


def test_whatever_a_user_wrote_stays_text() -> None:
    plain, evil = Strict(as_html(page_of("word"))), Strict(as_html(page_of(EVIL)))
    assert [tag for tag, _ in evil.tags] == [tag for tag, _ in plain.tags]
    assert evil.text.count(EVIL) == plain.text.count("word") - plain.text.count("words")
    assert [set(given) for _, given in evil.tags] == [set(given) for _, given in plain.tags]


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_makes_a_page_of_the_same_elements(text: str) -> None:
    elements = [tag for tag, _ in Strict(as_html(page_of("word"))).tags]
    page = as_html(page_of(text or "word"))
    assert [tag for tag, _ in Strict(page).tags] == elements
    page.encode()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", page)


def test_nothing_comes_from_elsewhere_and_no_other_script_may_run() -> None:
    page = Strict(as_html(page_of("word")))
    policy = next(given["content"] for tag, given in page.tags if given.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert rules["base-uri"] == rules["form-action"] == "'none'"
    for rule in ("script-src", "style-src"):
        assert re.fullmatch(r"'sha256-[\w+/]{43}='", rules[rule]), "the one of ours, by its hash"
    addresses = [given[name] for _, given in page.tags for name in ("src", "href", "srcset", "data") if name in given]
    assert all(re.match(r"data:|#|x$", str(address)) for address in addresses)
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not any(name.startswith("on") or name == "style" for _, given in page.tags for name in given)


def test_the_page_can_be_heard_and_found_through() -> None:
    page = Strict(as_html(page_of("word")))
    by_tag: dict[str, list[dict[str, str | None]]] = {}
    for tag, given_attributes in page.tags:
        by_tag.setdefault(tag, []).append(given_attributes)
    assert by_tag["html"][0]["lang"] == "en"
    assert all(image["alt"] for image in by_tag["img"])
    assert all(cell["scope"] in ("col", "row") for cell in by_tag["th"])
    assert len(by_tag["caption"]) == len(by_tag["table"])
    assert {"header", "main", "nav", "section", "footer", "h1", "h2"} <= by_tag.keys()
    names = [given_attributes["id"] for _, given_attributes in page.tags if "id" in given_attributes]
    assert len(names) == len(set(names))
    asked = [a["href"] for a in by_tag["a"] if str(a["href"]).startswith("#")]
    asked += [f"#{value}" for _, a in page.tags if (value := a.get("aria-labelledby"))]
    assert {str(name)[1:] for name in asked} <= set(names)


def test_the_same_page_has_the_same_bytes() -> None:
    assert as_html(page_of(EVIL)) == as_html(page_of(EVIL))


# --- texts ---------------------------------------------------------------------------------------------------


def test_control_characters_and_other_directions_are_replaced_and_joined_letters_are_not() -> None:
    assert shown("a\x00b\u202ec\ud800") == "a\ufffdb\ufffdc\ufffd"
    assert shown("\U0001f468\u200d\U0001f469 क्\u200dष\n\t") == "\U0001f468\u200d\U0001f469 क्\u200dष\n\t"


def test_a_name_inside_of_a_sentence_cannot_turn_what_follows() -> None:
    assert isolated("plain") == "plain"
    assert isolated("של\u2069ום") == "\u2068שלום\u2069"


def test_numbers_as_they_are_read() -> None:
    assert [number(value) for value in (None, float("nan"), float("inf"), 0.95556, 12345.6, 2.9e18, -0.0001)] == [
        "–", "–", "∞", "0.9556", "12,346", "2.9e+18", "-0.0001",
    ]  # fmt: skip
    assert measured(None).is_empty
    assert measured(float("nan")).value is None
    assert counted(1e6).text == "1,000,000"


def test_what_is_not_all_is_never_called_all() -> None:
    texts = [share(value).replace("\xa0", " ") for value in (0.0, 0.5, 0.9556, 0.9996, 0.99961, 1.0)]
    assert texts == ["0 %", "50.0 %", "95.6 %", "over 99.9 %", "over 99.9 %", "100 %"]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.1134, "0.113 s"), (59.97, "60 s"), (60, "1 min"), (192, "3 min 12 s"), (3600, "1 h"), (7530, "2 h 5 min"), (90000, "1 day 1 h")],
)  # fmt: skip
def test_durations(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_times_and_lists() -> None:
    assert moment("2026-07-28T09:30:59+02:00") == "2026-07-28 07:30 UTC"
    assert moment("yesterday") == "yesterday"
    assert listed("abc") == "a, b and c"
    assert listed("a") == "a"


def test_words_that_are_numbers_sort_as_numbers() -> None:
    assert word("1e-4").value == 1e-4
    assert [word(text).value for text in ("1_000", "nan", "inf", "a")] == [None] * 4
    assert word("").is_empty


# --- colours -------------------------------------------------------------------------------------------------


@given(st.text())
def test_colours_change_no_letter(text: str) -> None:
    assert "".join(token.text for token in yaml_tokens(text)) == text


def test_a_config_is_coloured() -> None:
    text = 'a b: [1, -2.5e-3, x1, "q: 1"] # why\n- dense: {units: 3, bias: true}\nurl: http://x#y\n'
    by_colour: dict[str, list[str]] = {}
    for token in yaml_tokens(text):
        by_colour.setdefault(token.colour, []).append(token.text.strip())
    assert by_colour["key"] == ["a b", "dense", "units", "bias", "url"]
    assert by_colour["number"] == ["1", "-2.5e-3", "3", "true"]
    assert by_colour["text"] == ['"q: 1"']
    assert by_colour["comment"] == ["# why"]


# --- the story -----------------------------------------------------------------------------------------------


CLASSES = ClassTarget(("no", "yes"), binary=True)


@pytest.mark.parametrize(
    ("judged", "told"),
    [
        (
            Judged({"accuracy": 0.973}, {"accuracy": 0.104}, "validation", 270, CLASSES),
            "97.3 % of 270 validation examples right; always saying the commonest class: 10.4 %.",
        ),
        (Judged({"accuracy": 1.0}, {}, "test", 1, CLASSES, is_weighted=True), "100 % of 1 test example right, by weight."),
        (
            Judged({"accuracy": 0.5}, {"accuracy": 0.25}, "train", 4, LabelTarget(("a", "b"))),
            "50.0 % of all labels of 4 train examples right; always saying what is commoner: 25.0 %.",
        ),
        (
            Judged({"rmse": 5.0, "mae": 4.0}, {"mae": 8.0}, "validation", 66, NumberTarget(("price",))),
            "Off by 4 on average in predicting price, on 66 validation examples; always saying the mean: 8.",
        ),
        (
            Judged({"rmse": 5.0}, {"rmse": 8.0}, "validation", None, NumberTarget(("a", "b")), is_series=True),
            "Off by 5 root mean square in predicting each of 2 numbers, on the validation examples; saying that nothing changes: 8.",
        ),
        (
            Judged({"bits_per_character": 2.0, "accuracy": 0.5}, {"bits_per_character": 4.9}, "validation", 9),
            "2 bits for each character of the validation text; knowing only how often each occurs: 4.9.",
        ),
        (Judged({"validation_loss": 0.5}, {}, "validation"), "validation_loss is 0.5 on the validation examples."),
        (Judged({"accuracy": float("nan")}, {}, "test", 3), "What it predicts are no finite numbers, so it cannot be judged."),
        (Judged({}, {}, "test"), ""),
    ],
)  # fmt: skip
def test_the_answer_is_one_sentence(judged: Judged, told: str) -> None:
    assert answer_of(judged).replace("\xa0", " ") == told


@pytest.mark.parametrize(
    ("record", "status", "told"),
    [
        ({"status": "finished", "epochs": 0, "best_epoch": 0}, ("untrained", "warn"), "no epochs"),
        ({"status": "finished", "epochs": 3, "best_epoch": 2}, ("finished", "good"), "All 3 epochs were trained. The weights of epoch 2"),
        ({"status": "stopped early", "epochs": 9, "why": "no better"}, ("stopped early", "good"), "early after 9 epochs: no better."),
        ({"status": "running"}, ("still running", "plain"), "after 5 epochs"),
        ({"status": "interrupted", "epochs": 1, "why": "by Ctrl-C"}, ("interrupted", "warn"), "was interrupted after 1 epoch: by Ctrl-C."),
        ({"status": "diverged", "epochs": 2, "why": "the loss is nan."}, ("diverged", "bad"), "It diverged after 2 epochs: the loss is nan."),
        ({"status": "killed", "why": "go on with: x"}, ("killed", "bad"), "was killed after 5 epochs"),
        ({"status": "damaged", "why": "no JSON"}, ("damaged", "bad"), "cannot be read: no JSON."),
        ({"status": "finished", "epochs": "9", "best_epoch": [1]}, ("finished", "good"), "All 5 epochs were trained."),
    ],
)  # fmt: skip
def test_the_ending_is_told_in_plain_words(record: dict[str, object], status: tuple[str, str], told: str) -> None:
    assert status_of(record) == status
    assert told in ending_of(record, 5)


# --- tables --------------------------------------------------------------------------------------------------


def rows_of(num: int) -> list[dict[str, float | None]]:
    return [{"epoch": float(epoch), "step": 1.0, "train_loss": 0.5, "validation_loss": None, "lr": 0.1} for epoch in range(1, num + 1)]  # fmt: skip


def test_few_epochs_are_all_there_and_what_was_never_measured_is_not() -> None:
    table = epochs_table(rows_of(5), best=4)
    assert [row[0].text for row in table.rows] == ["1", "2", "3", "4", "5"]
    assert table.headers == ("epoch", "train loss", "lr")
    assert (table.best, table.note, table.folded) == (3, "", "")


def test_of_very_many_epochs_some_are_there_with_the_best_and_the_last() -> None:
    table = epochs_table(rows_of(1000), best=778)
    epochs = [row[0].value for row in table.rows]
    assert {1.0, 778.0, 1000.0} <= set(epochs)
    assert len(epochs) <= MOST_EPOCHS + 2
    assert table.best is not None
    assert epochs[table.best] == 778
    assert table.note == "Every 5th of 1,000 epochs, the best and the last one; metrics.csv has all."
    assert table.folded
