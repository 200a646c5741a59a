"""The pages in a real browser: nothing goes wrong in it, every section is there to see, nothing is loaded."""

import re

import pytest
from browser import Browser
from conftest import SKIN

TRAINING = "verdict curves confusion classes ranking calibration losses gallery weights recipe environment time".split()
EVALUATION = [name for name in TRAINING if name not in ("curves", "weights")]
COMPARISON = "verdict recipes metrics tests curves flips".split()

BOXES = """[...document.querySelectorAll('section, figure, table, svg:not(.sprites), img')].map(element => {
    const box = element.getBoundingClientRect();
    return [element.tagName, element.id, box.width, box.height, element.innerText === undefined ? null : element.innerText.length];
})"""
# What a browser draws of a picture that is used: none has zero size, and each reference leads to one.
PICTURES = """[...document.querySelectorAll('use')].map(use => {
    const picture = document.getElementById(use.getAttribute('href').slice(1));
    return picture !== null && use.getBoundingClientRect().width > 0;
})"""
WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def pages(program, tmp_path_factory):
    mlp = program.train(SKIN, "page-mlp", "--size", 32)
    cnn = program.train(SKIN, "page-cnn", "--size", 32, "--model", "cnn", "--set", "model.batch_norm=true")
    program("eval", mlp.folder, SKIN / "val", "--out", "page-eval")
    program("compare", mlp.folder, cnn.folder, "--out", "page-comparison.html")
    return {
        "mlp": (mlp.folder / "report.html", TRAINING),
        "cnn": (cnn.folder / "report.html", TRAINING),
        "eval": (program.folder / "page-eval/report.html", EVALUATION),
        "comparison": (program.folder / "page-comparison.html", COMPARISON),
    }


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["mlp", "cnn", "eval", "comparison"])
def test_page(pages, name, dark):
    path, sections = pages[name]
    text = path.read_text()
    assert len(text.encode()) < 3_000_000
    assert not re.search(r"""(src|href)\s*=\s*["']?\s*(https?:|//)|url\(|@import|<script""", text)

    browser = Browser(path, dark)
    try:
        assert browser.console == []
        others = [url for url in browser.requests if not url.startswith(("file://", "data:"))]
        assert others == [] and len([url for url in browser.requests if url.startswith("file://")]) == 1
        boxes = browser.evaluate(BOXES)
        found = [identity for tag, identity, *_ in boxes if tag == "SECTION"]
        assert found == sections
        for tag, identity, width, height, length in boxes:
            assert width > 0 and height > 0, (tag, identity)
            if tag == "SECTION":
                assert width > 600 and height > 60 and length > 20, (identity, width, height, length)
        pictures = browser.evaluate(PICTURES)
        assert len(pictures) > 10 and all(pictures)
        assert browser.evaluate("document.querySelectorAll('image, img').length") > 5
        links = browser.evaluate("[...document.querySelectorAll('nav a')].map(a => document.querySelector(a.getAttribute('href')) !== null)")
        assert len(links) == len(sections) and all(links)
        background = browser.evaluate("getComputedStyle(document.body).backgroundColor")
        assert sum(map(int, re.findall(r"\d+", background)[:3])) < 200 if dark else "247" in background
        # The page itself scrolls only downwards, on a screen and on a telephone.
        assert browser.evaluate(WIDE) <= 0
        size = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        browser.send("Emulation.setDeviceMetricsOverride", size)
        assert browser.evaluate(WIDE) <= 0
        printed = browser.send("Page.printToPDF", {"printBackground": False})["data"]
        assert len(printed) > 20_000
        assert browser.console == []
    finally:
        browser.close()
