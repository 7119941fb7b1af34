"""The page of measurements: self-contained, and as Chromium shows it, in light and dark, on narrow and wide screens."""

from __future__ import annotations

import html
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hvctl.report.bench import bench_html
from tests.made_bench import HOST, made_bench, made_sets

HOSTILE = HOST._replace(processor='<script>alert("x")</script>', clocksource="hpet", virtual=True)
PAGE = bench_html(made_bench(host=HOSTILE), made_bench(factor=2))
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)
WIDTHS = (320, 390, 1280)
BACKGROUNDS = {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 28)"}
MEASURE = """
const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map(v => { v /= 255;
  return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
  if (!c.endsWith(", 0)")) return c; } return "rgb(255, 255, 255)"; };
const contrast = e => { const both = [light(getComputedStyle(e).color), light(behind(e))];
  return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05); };
const measure = frame => {
  const doc = frame.contentDocument, root = doc.documentElement;
  const texts = [...doc.body.querySelectorAll("*")].filter(e => e.checkVisibility()
    && [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim()));
  const bars = [...doc.querySelectorAll("rect")];
  return { width: frame.contentWindow.innerWidth, document: [root.scrollWidth, root.clientWidth],
    texts: texts.length, contrast: Math.min(...texts.map(contrast)),
    background: getComputedStyle(doc.body).backgroundColor, scripts: doc.scripts.length,
    requests: frame.contentWindow.performance.getEntriesByType("resource").map(e => e.name),
    bars: bars.map(e => { const r = e.getBoundingClientRect(), c = e.closest("td").getBoundingClientRect();
      return [r.width / c.width, r.left >= c.left - 1 && r.right <= c.right + 1]; }) };
};
addEventListener("load", () => {
  const found = [...document.querySelectorAll("iframe")].map(measure);
  document.body.replaceChildren(Object.assign(document.createElement("pre"), { textContent: JSON.stringify(found) }));
});
"""


def chromium(folder: Path, page: str, *flags: str) -> str:
    (folder / "page.html").write_text(page)
    done = subprocess.run(
        ["chromium", *FLAGS, f"--user-data-dir={folder / 'profile'}", *flags, (folder / "page.html").as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def preferring(scheme: str) -> str:
    return f"--blink-settings=preferredColorScheme={('dark', 'light').index(scheme)}"


@pytest.fixture(scope="module", params=["light", "dark"])
def measured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The page at each width, in one of the colour schemes."""
    return measure(PAGE, request.param, tmp_path_factory.mktemp("chromium"))


def measure(measured: str, scheme: str, folder: Path) -> list[dict[str, Any]]:
    frames = "".join(
        f'<iframe width="{width}" height="800" srcdoc="{html.escape(measured)}"></iframe>' for width in WIDTHS
    )
    style = "<style>:root { color-scheme: light dark } iframe { border: 0; display: block }</style>"
    page = f"<!DOCTYPE html><meta charset=utf-8>{style}<script>{MEASURE}</script><body>{frames}"
    shown = chromium(folder, page, preferring(scheme), "--dump-dom")
    result = re.search(r"<pre>(.*)</pre>", shown, re.DOTALL)
    assert result, shown[:1000]
    found: list[dict[str, Any]] = json.loads(html.unescape(result[1]))
    assert [one["width"] for one in found] == [*WIDTHS]
    assert {one["background"] for one in found} == {BACKGROUNDS[scheme]}
    return found


def test_it_is_shown_without_a_request_or_a_script(measured: list[dict[str, Any]]) -> None:
    assert [(one["requests"], one["scripts"]) for one in measured] == [([], 0)] * len(WIDTHS)


def test_nothing_is_wider_than_the_screen(measured: list[dict[str, Any]]) -> None:
    assert all(inner <= outer for one in measured for inner, outer in [one["document"]])


def test_every_text_has_enough_contrast(measured: list[dict[str, Any]]) -> None:
    assert all(one["texts"] > 100 and one["contrast"] >= 4.5 for one in measured)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_platforms_sets_are_shown_on_every_screen_too(scheme: str, tmp_path: Path) -> None:
    for one in measure(bench_html(made_sets()), scheme, tmp_path):
        assert one["document"][0] <= one["document"][1]
        assert one["texts"] > 100
        assert one["contrast"] >= 4.5
        assert (one["requests"], one["scripts"]) == ([], 0)


def test_every_bar_is_drawn_inside_its_cell(measured: list[dict[str, Any]]) -> None:
    for one in measured:
        assert len(one["bars"]) == PAGE.count("<rect ")
        assert all(inside and 0 < share <= 1 for share, inside in one["bars"])
    clock = [share for share, _ in measured[-1]["bars"][:5]]
    # PM timer, HPET, counter, TSC page, RDTSC: the shorter bar is the faster way.
    assert clock == sorted(clock[:2]) + sorted(clock[2:], reverse=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_screenshot_has_bars(scheme: str, tmp_path: Path) -> None:
    picture = tmp_path / "page.png"
    chromium(tmp_path, PAGE, preferring(scheme), "--window-size=1100,2000", f"--screenshot={picture}")
    assert picture.stat().st_size > 50_000


def test_what_comes_from_the_host_is_escaped() -> None:
    assert "<script>" not in PAGE
    assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;" in PAGE


def test_it_needs_nothing_else() -> None:
    assert not re.findall(r"(?:src|href)=|url\(|@import", PAGE)
    assert PAGE.startswith("<!DOCTYPE html>")
    assert PAGE.endswith("</html>\n")


def test_it_says_what_the_text_says() -> None:
    for text in (
        "2.1 us",
        "87 x faster",
        "This host is a virtual machine",
        "Since the older measurement",
        "vCPUs on 8 CPUs",
    ):
        assert text in PAGE
    few = bench_html(made_bench(runs=2))
    assert "too few runs to tell" in few
    assert " x faster" not in few


def test_ways_that_were_not_measured_and_unknown_frequencies() -> None:
    bench = made_bench()._replace(tsc_hz=None)
    page = bench_html(bench._replace(series=tuple(one for one in bench.series if one.id != 0x11)))
    assert "not measured" in page
    assert "5356 cycles" in page
