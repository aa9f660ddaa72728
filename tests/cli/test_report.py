"""`nettool report`: a page of a run or of several, whatever became of them; and what it never overwrites."""

from __future__ import annotations

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

import nettool as package
from nettool.api import Sweep
from nettool.runs.sweeps import SweepDirectory
from nettool.workflows.report.pictures import AS_A_TABLE
from tests.browser.chromium import Browser, needs_chromium
from tests.cli.conftest import CONFIGS, Nettool

RUN = Path("runs/students-0001")


class Read(HTMLParser):
    """The text of a page, the anchors of its sections, what its pictures show."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text, self.sections, self.pictures = "", list[str](), list[str]()
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "section":
            self.sections.append(str(given["id"]))
        if tag == "pre":
            self.text += "\n"
        if tag == "img":
            self.pictures.append(str(given["alt"]))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def run(nettool: Nettool, config: Path) -> Path:
    assert nettool("train", config, "--quiet", "epochs=3", "optimizer.lr=0.02").code == 0
    return RUN


@pytest.fixture
def curves_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the quickest of the pictures, where a test is about something else."""
    from nettool.workflows.report import pictures

    few = {name: pictures.KINDS[name] for name in ("curves", "confusion")}
    monkeypatch.setattr(pictures, "KINDS", few)


def test_the_page_of_a_run_has_it_all(nettool: Nettool, run: Path) -> None:
    result = nettool("report", run)
    assert (result.code, result.out, result.err) == (0, f"{run}/report.html\n", "")
    page = Read(run / "report.html")
    assert page.sections == ["diagnosis", "asked", "happened", "quality", "mistakes", "inside", "use"]
    accuracy = json.loads((run / "run.json").read_text())["metrics"]["accuracy"]
    assert f"{accuracy:.1%}".replace("%", "\xa0%") in page.text
    assert "examples right; always saying the commonest class" in page.text
    for told in (
        "optimizer.lr=0.02",
        "binary_cross_entropy",
        "0 dense",
        "balanced accuracy",
        "All 14 checks",
        "sha256",
    ):
        assert told in page.text
    assert f"nettool eval {run}" in page.text
    assert f"nettool predict {run} lectures=" in page.text
    assert str(json.loads((run / "run.json").read_text())["data"]["path"]["sha256"]) in page.text
    shown = {alt.partition(":")[0] for alt in page.pictures}
    assert {"Curves", "Confusion", "ROC curve", "Importance", "Weights", "Network", "Landscape"} <= shown
    assert AS_A_TABLE.capitalize() not in shown, "mistakes are a table"
    assert any("% right" in alt for alt in page.pictures), "the numbers are told to those who see no pictures"


def test_the_commands_of_the_page_can_be_typed(nettool: Nettool, run: Path, curves_alone: None) -> None:
    nettool("report", run)
    lines = [line for line in Read(run / "report.html").text.splitlines() if line.startswith("nettool ")]
    example = next(line for line in lines if "lectures=" in line)
    for line in (example, *(line for line in lines if line.split()[1] in ("eval", "verify"))):
        assert nettool(*line.split()[1:]).code == 0, line


def test_the_same_run_gives_the_same_bytes_however_it_is_named(
    nettool: Nettool, run: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, curves_alone: None
) -> None:
    nettool("report", run)
    first = (run / "report.html").read_bytes()
    nettool("report")
    assert (run / "report.html").read_bytes() == first, "its own page is replaced"
    path = package.load(run.name).report(folder / "other.html")
    assert path.read_bytes() == first
    monkeypatch.chdir(run)
    assert nettool("report", ".", "--to", "../../third.html").code == 0
    assert (folder / "third.html").read_bytes() == first


def test_no_file_of_the_users_is_overwritten(nettool: Nettool, run: Path, folder: Path, curves_alone: None) -> None:
    (folder / "mine.html").write_text("mine")
    (run / "report.html").write_text("<!doctype html>mine")
    (folder / "link.html").symlink_to("nowhere.html")
    for arguments, told in (
        ((run, "--to", "mine.html"), "mine.html is there already"),
        ((run,), "report.html is there already"),
        ((run, "--to", "link.html"), "link.html is there already"),
        ((run, "--to", "."), "is a folder. Name a file in it"),
        ((run, run), "several runs have no folder in common for their report: name a file"),
        ((run, "--split", "test", run, "--to", "x.html"), "--split test: several runs are compared"),
        ((run, "optimizer.lr=1", "--to", "y.html"), "a trained run only takes where its data is now"),
        (("rnus",), "no such run"),
    ):
        result = nettool("report", *arguments)
        assert result.code == 2
        assert result.out == ""
        assert told in " ".join(result.err.split())
    assert (folder / "mine.html").read_text() == "mine"
    assert (run / "report.html").read_text() == "<!doctype html>mine"
    assert not (folder / "nowhere.html").exists()
    (run / "report.html").unlink()
    for _ in range(2):
        assert nettool("report", run, "--to", run / "report.html").code == 0
    assert nettool("report", run, "--to", "new/folder/x.html").code == 0
    assert nettool("report", run, "--to", "new/folder/x.html").code == 2, "an own page elsewhere may be wanted, too"


def test_another_split_is_another_page(nettool: Nettool, run: Path, curves_alone: None) -> None:
    nettool("report", run, "--split", "test", "--to", "test.html")
    assert "test examples right" in Read(Path("test.html")).text
    nettool("train", "students.yaml", "--quiet", "epochs=1", "data.split={train: 0.8, validation: 0.2, test: 0}")
    result = nettool("report", "students-0002", "--split", "test")
    assert result.code == 2
    assert "have no such split" in result.err


@pytest.mark.parametrize("lost", ["gone", "changed"])
def test_without_its_data_it_has_all_that_needs_none(nettool: Nettool, run: Path, table: Path, lost: str) -> None:
    old = table.read_text()
    table.write_text(f"{old}1,1,a,yes\n")
    if lost == "gone":
        table.unlink()
    result = nettool("report", run)
    assert result.code == 0
    (line,) = result.err.splitlines()
    assert line.startswith("warning: left out: all that needs its data: ")
    assert ("no such file or folder any more" if lost == "gone" else "sha256 differs") in line
    page = Read(run / "report.html")
    assert line.removeprefix("warning: left out: ") in page.text
    assert page.sections == ["diagnosis", "asked", "happened", "quality", "inside", "use"]
    assert "of the validation examples right" in page.text
    assert "as it was written down at the best epoch" in page.text
    assert {"Curves", "Network", "Weights"} == {alt.partition(":")[0] for alt in page.pictures}
    Path("elsewhere.csv").write_text(old)
    assert nettool("report", run, "data.path=elsewhere.csv").err == ""
    assert "mistakes" in Read(run / "report.html").sections


def change_record(run: Path, **changes: object) -> None:
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, **changes}))


def test_whatever_became_of_a_run_its_page_comes(nettool: Nettool, run: Path, curves_alone: None) -> None:
    def page_of(name: str, warns: str | None) -> Read:
        result = nettool("report", Path("runs") / name)
        assert result.code == 0
        assert (warns is None) == (result.err == ""), result.err
        assert (warns or "") in result.err
        return Read(Path("runs") / name / "report.html")

    for name in ("weightless", "spoilt", "recordless", "odd", "killed", "unreadable"):
        shutil.copytree(run, Path("runs") / name)
    (Path("runs/weightless") / "best.safetensors").unlink()
    page = page_of("weightless", "all that needs its weights: runs/weightless holds no best.safetensors")
    assert page.sections == ["diagnosis", "asked", "happened", "quality", "use"]
    assert "0 dense" in page.text, "config and data tell the network as well"
    Path("runs/spoilt/best.safetensors").write_bytes(b"spoilt")
    Path("runs/spoilt/metrics.csv").write_text("epoch,step\n1,x\n")
    page = page_of("spoilt", "metrics.csv is damaged")
    Path("runs/recordless/run.json").unlink()
    page = page_of("recordless", "has no run.json")
    assert "damaged" in page.text
    assert "quality" in page.sections
    change_record(
        Path("runs/odd"), epochs="many", best_epoch=[1], seconds="x", seed={}, started=7, data={"path": {"rows": "x"}}
    )
    assert "students" in page_of("odd", "curves").text
    change_record(Path("runs/killed"), status="running")
    assert "nettool train --resume runs/killed" in page_of("killed", None).text
    Path("runs/unreadable/config.yaml").write_text("layers: [oops")
    assert "layers: [oops" in page_of("unreadable", "config.yaml:1:9").text


def test_runs_that_learned_nothing(nettool: Nettool, config: Path, curves_alone: None) -> None:
    nettool("train", config, "--quiet", "epochs=0", "name=untrained")
    assert nettool("report").err == ""
    page = Read(Path("runs/untrained-0001/report.html"))
    assert "untrained" in page.text
    assert "the weights that training would begin with" in page.text
    result = nettool(
        "train", config, "--quiet", "name=diverged", "data.target=hours", "loss=mse", "optimizer={name: sgd, lr: 1e6}"
    )
    assert result.code == 3
    assert nettool("report", "diverged-0001").code == 0
    page = Read(Path("runs/diverged-0001/report.html"))
    assert "It diverged after" in page.text
    assert "not finite" in page.text


NAMES = ["<img src=x onerror='alert(1)'>", "</script><b>x", "{{ 7*7 }}", "שלום", "a&amp;b", "日本語", "x\u202ey"]


def test_names_of_users_are_shown_as_they_are(nettool: Nettool, folder: Path) -> None:
    header = "<i>size</i>,{{ weight }},the </td> target\n"
    rows = "".join(f"{i % 7}.{i % 3},{i % 5},{NAMES[i % 7]}\n" for i in range(210))
    (folder / "names.csv").write_text(header + rows)
    (folder / "names.yaml").write_text(
        'data: {path: names.csv, target: "the </td> target"}\nlayers: [{dense: 4}, output]\nloss: cross_entropy\nepochs: 2\n'
    )
    assert nettool("train", "names.yaml", "--quiet").code == 0
    assert nettool("report").err == ""
    path = Path("runs/names-0001/report.html")
    page = Read(path)
    for name in ("</script><b>x", "{{ 7*7 }}", "שלום", "<i>size</i>", "{{ weight }}", "the </td> target"):
        assert name in page.text
    for raw in ("<img src=x", "<i>size", "<b>x", "\u202e"):
        assert raw not in path.read_text()


@pytest.mark.parametrize(
    ("name", "sections", "told"),
    [
        ("series", {"quality", "mistakes"}, "saying that nothing changes"),
        ("music_lstm", {"quality", "mistakes"}, "bits for each character"),
        ("mnist_cnn", {"quality", "mistakes"}, "test examples right"),
    ],
)
def test_series_texts_and_images(
    nettool: Nettool, name: str, sections: set[str], told: str, curves_alone: None
) -> None:
    changes = ["epochs=1"]
    if name == "music_lstm":
        changes += ["layers.1.units=8", "layers.0.width=8", "data.text.length=20"]
    assert nettool("train", CONFIGS / f"{name}.yaml", "--quiet", *changes).code == 0
    assert nettool("report").err == ""
    page = Read(Path(f"runs/{name}-0001/report.html"))
    assert sections <= set(page.sections)
    assert told in page.text
    if name == "mnist_cnn":
        assert sum(", taken for " in alt for alt in page.pictures) == 24
    if name == "music_lstm":
        assert "What it writes" in page.text
        assert "nettool generate runs/music_lstm-0001" in page.text


def test_several_runs_are_put_beside_each_other(nettool: Nettool, run: Path) -> None:
    nettool("train", "students.yaml", "--quiet", "epochs=3", "optimizer.lr=0.05")
    nettool("report", run)
    assert nettool("report", run, "students-0002", "--to", "pages/both.html").out == "pages/both.html\n"
    page = Read(Path("pages/both.html"))
    assert page.sections == ["best", "runs", "pictures", "use"]
    assert "They differ in optimizer.lr." in page.text
    assert 'href="../runs/students-0001/report.html"' in Path("pages/both.html").read_text()
    assert 'href="../runs/students-0002' not in Path("pages/both.html").read_text(), "which has no page"
    losses = [
        json.loads((RUN.parent / f"students-000{n}/run.json").read_text())["metrics"]["validation_loss"] for n in (1, 2)
    ]
    best = f"students-000{1 + losses.index(min(losses))}"
    assert f"The best by validation loss is {best}" in page.text
    assert page.pictures == ["Curves: validation loss of 2 runs by epoch"]


def test_runs_whose_losses_are_no_numbers_of_one_kind_are_ranked_by_another_and_it_is_said(
    nettool: Nettool, config: Path
) -> None:
    for loss in ("mse", "mae"):
        nettool("train", config, "--quiet", "epochs=2", "data.target=hours", f"loss={loss}")
    assert nettool("report", "students-0001", "students-0002", "--to", "both.html").code == 0
    page = Read(Path("both.html"))
    assert "These runs were trained with different losses (mse, mae), whose values cannot be compared" in page.text


def test_a_column_that_looks_like_an_option_makes_no_command(
    nettool: Nettool, config: Path, table: Path, curves_alone: None
) -> None:
    table.write_text(table.read_text().replace("lectures", "-lectures", 1))
    assert nettool("train", config, "--quiet", "epochs=2").code == 0
    nettool("report")
    assert "-lectures=" not in Read(Path("runs/students-0001/report.html")).text


def test_a_report_is_a_page_and_no_other_file(nettool: Nettool, run: Path) -> None:
    result = nettool("report", run, "--to", "mine.pdf")
    assert result.code == 2
    assert "ends in .html" in result.err
    assert not Path("mine.pdf").exists()


def test_a_sweep_is_compared_with_its_pictures(nettool: Nettool, config: Path) -> None:
    result = nettool("sweep", config, "optimizer.lr=0.01,0.1", "epochs=2", "--seeds", "2", "--quiet")
    sweep = Path(result.out.strip())
    assert nettool("report", sweep).out == f"{sweep}/report.html\n"
    page = Read(sweep / "report.html")
    assert page.sections == ["best", "runs", "pictures", "use"]
    assert "4 of 4 points: optimizer.lr" in page.text
    assert "Each setting, averaged over seeds and folds" in page.text
    assert [alt.partition(":")[0] for alt in page.pictures] == ["Curves", "Validation loss by optimizer lr"]
    first = (sweep / "report.html").read_bytes()
    assert Sweep(SweepDirectory(sweep.resolve())).report().read_bytes() == first


@needs_chromium
def test_a_browser_has_nothing_to_complain_of(
    nettool: Nettool, run: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    nettool("report", run)
    browser = Browser(tmp_path_factory.mktemp("browser"))
    page = (run / "report.html").resolve()
    assert browser.open(page)[1] == []
    seen = "return [Math.min(...[...document.images].map((image) => image.naturalWidth)), document.documentElement.scrollWidth]"
    widest, width = browser.ask(page, seen, width=375)
    assert widest > 400
    assert width == 375
