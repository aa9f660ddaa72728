"""The page of `nettool report` in a browser: sorting, narrow screens, dark ones, and that it asks nobody for anything."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

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
    measured,
    word,
)
from nettool.workflows.report.colours import yaml_tokens
from nettool.workflows.report.page import as_html
from tests.browser.chromium import Browser, needs_chromium

pytestmark = needs_chromium

PIXEL = "data:image/png;base64," + base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c63f80f00010101005a4d6ff1"
        "0000000049454e44ae426082"
    )
).decode()  # fmt: skip
LONG = "word" * 60
TABLE = Table(
    "Numbers, words and gaps",
    ("name", "value", "first", "image"),
    [
        (word("run-10"), measured(9.0), Cell("b"), Cell("a picture", image=PIXEL)),
        (word("run-9"), measured(None), Cell("a"), Cell("a picture", image=PIXEL)),
        (word("run-1"), measured(-1e-7), Cell("b"), Cell("a picture", image=PIXEL)),
        (word("Äpfel"), measured(12345678.0), Cell("a"), Cell("a picture", image=PIXEL)),
    ],
    best=1,
)
PAGE = Page(
    "a name", "runs/a", "finished", "good", "It ended.", "97 % right.", [("epochs", "4"), (LONG, LONG)],
    [
        Section("one", "One", [
            TABLE,
            replace(TABLE, headers=[LONG] * 4, folded="folded"),
            Gallery([Picture("Picture", "it says this", "what it is", PIXEL, 1200, 400)] * 3),
            Code("config", yaml_tokens(f"a: {LONG * 3}  # comment\nb: [1, 'x']"), ""),
            Facts([(LONG, LONG)], is_code=True),
            Commands([(f"nettool {LONG}", LONG)]),
            Finding(LONG, LONG, [LONG], yaml_tokens(f"dropout: 0.3  # {LONG}")),
            Text(LONG),
        ]),
    ],
    [LONG],
)  # fmt: skip
ORDER = """
const table = document.querySelector('table');
const names = [...table.tBodies[0].rows].map((row) => row.cells[0].textContent.trim().split(' ')[0]);
return [names, [...table.tHead.rows[0].cells].map((cell) => cell.getAttribute('aria-sort')).filter((state) => state)];
"""


def click(column: int, times: int = 1) -> str:
    return f"for (let i = 0; i < {times}; i++) document.querySelectorAll('thead button')[{column}].click();"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "report.html"
    path.write_text(as_html(PAGE))
    return path


def test_the_page_runs_its_own_script_and_style_and_nothing_is_complained_of(browser: Browser, page: Path) -> None:
    document, console = browser.open(page)
    assert console == []
    assert 'class="best"' in document
    assert browser.ask(page, "return getComputedStyle(document.querySelector('.skip')).position") == "absolute"


def test_infinite_numbers_sort_beyond_all_others(browser: Browser, tmp_path: Path) -> None:
    values = (3.0, float("inf"), -2.0, float("-inf"), None, float("inf"))
    rows = [(word(f"n{place}"), measured(value)) for place, value in enumerate(values)]
    page = replace(PAGE, sections=[Section("one", "One", [Table("Numbers", ("name", "value"), rows)])])
    path = tmp_path / "page.html"
    path.write_text(as_html(page))
    names, _ = browser.ask(path, click(1) + ORDER)
    assert names == ["n3", "n2", "n0", "n1", "n5", "n4"]


def test_all_pictures_are_there(browser: Browser, page: Path) -> None:
    widths = browser.ask(page, "return [...document.images].map((image) => image.naturalWidth)")
    assert len(widths) == 11
    assert min(widths) > 0


@pytest.mark.parametrize(
    ("clicks", "order", "sorted_as"),
    [
        (click(1), ["run-1", "run-10", "Äpfel", "run-9"], "ascending"),
        (click(1, 2), ["Äpfel", "run-10", "run-1", "run-9"], "descending"),
        (click(0), ["Äpfel", "run-1", "run-9", "run-10"], "ascending"),
        (click(2), ["run-9", "Äpfel", "run-10", "run-1"], "ascending"),
        (click(2, 2), ["run-10", "run-1", "run-9", "Äpfel"], "descending"),
        (click(1) + click(2), ["Äpfel", "run-9", "run-1", "run-10"], "ascending"),
    ],
    ids=["numbers", "largest first", "words", "equals keep their order", "also the other way", "one after another"],
)
def test_a_click_on_a_header_sorts(browser: Browser, page: Path, clicks: str, order: list[str], sorted_as: str) -> None:
    assert browser.ask(page, clicks + ORDER) == [order, [sorted_as]]


def test_on_a_phone_nothing_is_wider_than_the_page(browser: Browser, page: Path) -> None:
    unfold = "document.querySelectorAll('details').forEach((each) => { each.open = true; });"
    found = browser.ask(
        page,
        f"{unfold} const box = document.querySelectorAll('.scroll')[1];"
        "return [innerWidth, document.documentElement.scrollWidth, box.scrollWidth > box.clientWidth]",
        width=375,
    )
    assert found == [375, 375, True], "but for a wide table, which has a way to its last column of its own"


CONTRAST = """
const light = (colour) => {
  const [red, green, blue] = colour.match(/[\\d.]+/g).map((part) => part / 255)
    .map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const ground = (element) => {
  for (; element; element = element.parentElement) {
    const colour = getComputedStyle(element).backgroundColor;
    if (!/, 0\\)$/.test(colour)) return colour;
  }
};
document.querySelectorAll('details').forEach((each) => { each.open = true; });
return [...document.querySelectorAll('body *')].filter((each) => each.tagName !== 'SCRIPT'
  && [...each.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())).map((each) => {
  const [a, b] = [light(getComputedStyle(each).color), light(ground(each))].sort((x, y) => y - x);
  return [(a + 0.05) / (b + 0.05), each.tagName + '.' + each.className];
}).sort((a, b) => a[0] - b[0])[0];
"""


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
def test_every_text_can_be_told_from_its_ground(browser: Browser, page: Path, is_dark: bool) -> None:
    least, where = browser.ask(page, CONTRAST, is_dark=is_dark)
    assert least >= 4.5, where


def test_it_is_dark_where_the_reader_likes_that_but_for_the_pictures(browser: Browser, page: Path) -> None:
    grounds = "return ['body', '.card'].map((name) => getComputedStyle(document.querySelector(name)).backgroundColor)"
    light, dark = (browser.ask(page, grounds, is_dark=is_dark) for is_dark in (False, True))
    assert light[0] == "rgb(250, 250, 248)"
    assert dark[0] == "rgb(19, 21, 24)"
    assert light[1] == dark[1] == "rgb(255, 255, 255)"


@contextmanager
def listening() -> Iterator[tuple[str, list[str]]]:
    """A server of this machine, and what is asked of it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_it_asks_nobody_even_if_something_of_a_stranger_became_markup(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    with listening() as (address, asked):
        name = f"</script></style></title>\"'><img src={address}/a><script>fetch('{address}/b')</script>"
        text = as_html(replace(PAGE, title=name, answer=name, sections=[Section("a", name, [Text(name), TABLE])]))
        path.write_text(text)
        browser.open(path)
        assert asked == []
        planted = (
            f"<img src={address}/image><script>document.title = 'run'; fetch('{address}/script')</script>"
            f"<link rel=stylesheet href={address}/style><iframe src={address}/frame></iframe>"
        )
        path.write_text(text.replace("</main>", f"{planted}</main>"))
        document, console = browser.open(path)
        assert asked == []
        assert "<title>run" not in document
        assert console, "the browser says what it has refused"
        path.write_text(path.read_text().replace("Content-Security-Policy", "x"))
        browser.open(path)
        assert {"/image", "/script", "/style", "/frame"} <= set(asked), "which it would have asked for"
