"""The HTML page on a pool: what it holds, and what Chromium makes of it, light and dark, wide and narrow."""

from __future__ import annotations

import html
import json
import re
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from lxml import html as lxml_html

from hvctl.catalog import ROWS
from hvctl.model.host import Host, Libvirt, Pool
from hvctl.plan.pool import Survey, survey
from hvctl.report.pool import Gain, letter
from hvctl.report.pool_html import pool_html
from tests.made_hosts import (
    made_amd_host,
    made_intel_host,
    made_libvirt,
    made_no_hyperv_host,
    made_old_kernel_host,
    made_qemu,
)
from tests.model.test_host import pool_of, with_frequencies

IDS = [row.id for row in ROWS if not row.experimental]
LAYERS = ("Kernel", "Hardware", "QEMU", "libvirt")


def several(count: int) -> list[Host]:
    """As many classes, some of which lack this or that."""
    qemus = made_qemu(), made_qemu(newest="7.2", unknown=("hv-emsr-bitmap",))
    libvirts = made_libvirt(), made_libvirt(without=("xmm_input",)), None
    made = [
        made_amd_host(f"node{at:02}.rack{at % 3}.example.org", qemu=(qemus[at % 2],), libvirt=libvirts[at % 3])
        for at in range(count)
    ]
    return [host._replace(kvm=host.kvm._replace(release=f"6.{at}.0-amd64")) for at, host in enumerate(made)]


POOLS = {
    "two": pool_of(made_amd_host(), made_old_kernel_host()),
    "one": pool_of(made_amd_host()),
    "twelve": pool_of(*several(10), made_no_hyperv_host(), made_intel_host()),
    "a hundred alike": pool_of(*with_frequencies([2_500_000_000 + at for at in range(100)])),
    "forty classes": pool_of(*several(40)),
    "nothing": pool_of(made_amd_host(qemu=(), libvirt=None), made_no_hyperv_host()),
}
every_pool = pytest.mark.parametrize("pool", POOLS.values(), ids=list(POOLS))


def gain_of(pool: Pool, *names: str) -> Gain:
    return Gain(names, survey(pool), survey(pool.without(frozenset(names))))


def page_of(pool: Pool, gain: Gain | None = None, *, all_names: bool = False) -> str:
    return pool_html(survey(pool), gain, all_names=all_names)


def parsed(page: str) -> Any:
    return lxml_html.document_fromstring(page)


def text(element: Any) -> str:
    return " ".join(element.text_content().split())


@every_pool
@pytest.mark.parametrize("all_names", [False, True])
def test_it_is_well_formed_and_its_links_lead_somewhere(pool: Pool, all_names: bool) -> None:
    gain = gain_of(pool, next(iter(pool.names()))) if len(list(pool.names())) > 1 else None
    page = page_of(pool, gain, all_names=all_names)
    assert page == page_of(pool, gain, all_names=all_names)
    assert page.isascii()
    assert page.startswith("<!DOCTYPE html>\n")
    assert page.endswith("</html>\n")
    tree = parsed(page)
    ids = tree.xpath("//@id")
    assert len(ids) == len(set(ids))
    assert {link.removeprefix("#") for link in tree.xpath("//@href")} <= set(ids)
    # As a browser's parser would have it: what is opened is closed.
    for tag in ("div", "ul", "li", "dl", "dt", "dd", "p", "span", "td", "th", "tr", "section", "details", "a"):
        assert len(re.findall(f"<{tag}[ >]", page)) == page.count(f"</{tag}>"), tag


@every_pool
def test_it_needs_nothing_else(pool: Pool) -> None:
    page = page_of(pool)
    tree = parsed(page)
    assert not tree.xpath("//script | //link | //img | //iframe | //object | //form | //base | //@src | //@style")
    assert not any(name.startswith("on") for element in tree.iter() for name in element.attrib)
    assert all(link.startswith("#") for link in tree.xpath("//@href"))
    assert not re.search(r"url\(|@import|https?:", page)
    assert tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")[0].startswith("default-src 'none'")


@every_pool
def test_it_says_what_it_is_to_a_screen_reader(pool: Pool) -> None:
    tree = parsed(page_of(pool))
    assert tree.get("lang") == "en"
    assert tree.xpath("string(//title)").endswith("hvctl pool")
    assert tree.xpath("//meta[@name='viewport']/@content") == ["width=device-width, initial-scale=1"]
    levels = [int(heading.tag[1]) for heading in tree.xpath("//h1 | //h2 | //h3 | //h4")]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(text(heading) for heading in tree.xpath("//h1 | //h2 | //h3"))
    assert [element.tag for element in tree.body if element.tag in ("header", "main")] == ["header", "main"]
    (region,) = tree.xpath("//*[@role='region']")
    assert region.get("tabindex") == "0"
    assert text(tree.get_element_by_id(region.get("aria-labelledby"))).startswith("Matrix")
    (table,) = region.xpath(".//table")
    assert text(table.xpath("caption")[0])
    assert set(tree.xpath("//th/@scope")) == {"row", "col"}
    assert len(tree.xpath("//th")) == len(tree.xpath("//th[@scope]"))


def said(survey: Survey, position: int, row: int) -> str:
    """What a screen reader says of a cell."""
    judged = survey.judged[position][row]
    layers = ", ".join(f"{name} {one.state}" for name, one in zip(LAYERS, judged.answers, strict=True))
    return f"{judged.verdict.state}, {layers}"


@every_pool
def test_each_cell_tells_all_layers_in_words(pool: Pool) -> None:
    found = survey(pool)
    tree = parsed(pool_html(found, None, all_names=False))
    heads = [text(head) for head in tree.xpath("//thead//th")]
    assert heads[:2] == ["Enlightenment", "Every host"]
    assert len(heads) == 2 + len(pool.classes)
    rows = tree.xpath("//tbody/tr")
    assert [text(row.xpath("th")[0]) for row in rows] == IDS
    for number, row in enumerate(rows):
        first, *cells = row.xpath("td")
        if IDS[number] in found.qemu.ids:
            assert text(first).startswith("yes")
        else:
            assert text(first) in ("no", "unknown")
        for position, cell in enumerate(cells):
            (marks,) = cell.xpath("span[@aria-hidden='true']")
            assert len(marks.text_content()) == 4
            marks.drop_tree()
            assert text(cell) == said(found, position, number)


@every_pool
def test_a_cell_leads_to_its_reasons_and_remedies(pool: Pool) -> None:
    found = survey(pool)
    tree = parsed(pool_html(found, None, all_names=False))
    for number, row in enumerate(tree.xpath("//tbody/tr")):
        for position, cell in enumerate(row.xpath("td")[1:]):
            links = cell.xpath("a/@href")
            answers = found.judged[position][number].answers
            assert bool(links) == any(one.reason for one in answers)
            if links:
                told = text(tree.get_element_by_id(links[0].removeprefix("#")))
                assert all(" ".join(one.reason.split()) in told for one in answers)
                assert all(one.remedy in told for one in answers)
                groups = [one for one, judged in enumerate(found.judged) if judged[number].answers == answers]
                assert len(groups) > 20 or letter(position) in re.split(r"[ ,:]+", told)


def test_what_falls_out_is_told_with_host_layer_and_remedy() -> None:
    pool = pool_of(made_amd_host("new"), made_amd_host("old", libvirt=made_libvirt(without=("xmm_input",))))
    told = [text(loss) for loss in parsed(page_of(pool)).xpath("//ul[@class='losses']/li")]
    assert told[0] == (
        "xmm-input libvirt of old (class B): its libvirt does not know xmm_input. Remedy: use libvirt 10.7.0 or newer."
    )
    assert "libvirt of new and 1 more (classes A, B): libvirt has no element for it." in told[1]
    assert any(one.startswith("evmcs Kernel of new and 1 more (classes A, B): KVM does not offer") for one in told)


def test_what_requires_what_falls_out_names_no_host() -> None:
    kernel = made_amd_host().kvm._replace(unseen=("synic",))
    told = [
        text(loss) for loss in parsed(page_of(pool_of(made_amd_host(kvm=kernel)))).xpath("//ul[@class='losses']/li")
    ]
    assert any(
        one.startswith("synic Kernel of made-amd (class A): not known: this kernel has no way to tell") for one in told
    )
    assert any(re.fullmatch(r"stimersyndbg Requirement: not known: it requires synic\.", one) for one in told)


@pytest.mark.parametrize(
    ("pool", "what", "told"),
    [
        ("nothing", "No guest can be planned for this pool:", "made-amd: no QEMU is known there"),
        ("twelve", "No guest can be planned for this pool:", "made-no-hyperv: its KVM has no Hyper-V emulation; boot"),
        ("twelve", "A guest cannot move among all of these hosts:", "the processors are from AMD and Intel"),
        ("two", "20 of 27", "enlightenments."),
    ],
)
def test_what_matters_most_stands_first(pool: str, what: str, told: str) -> None:
    says = [text(element) for element in parsed(page_of(POOLS[pool])).xpath("//*[contains(@class, 'says')]")]
    assert [what in one and told in one for one in says].count(True) == 1


def test_no_common_machine_type_is_told_first() -> None:
    apart = pool_of(made_amd_host("a"), made_amd_host("b", qemu=(made_qemu()._replace(machines=()),)))
    assert "No guest can be planned for this pool:</b> the QEMUs of all hosts share no machine type." in page_of(apart)


def test_at_most_20_names_are_shown_and_all_of_them_on_demand() -> None:
    pool = POOLS["a hundred alike"]
    few = parsed(page_of(pool)).xpath("//ul[@class='names']/li")
    assert [text(one) for one in few] == [*(f"h{number}" for number in range(20)), "and 80 more"]
    (details,) = parsed(page_of(pool, all_names=True)).xpath("//details")
    assert text(details.xpath("summary")[0]) == "all 100 names"
    assert [text(one) for one in details.xpath(".//li")] == [f"h{number}" for number in range(100)]


def test_many_classes_are_counted_where_they_would_be_listed() -> None:
    tree = parsed(page_of(POOLS["forty classes"]))
    assert "and 7 more" in text(tree.get_element_by_id("why-avic"))
    assert len(tree.xpath("//thead//th")) == 42


def test_what_leaving_hosts_out_gains() -> None:
    pool = POOLS["twelve"]
    tree = parsed(page_of(pool, gain_of(pool, "made-no-hyperv", "made-intel")))
    (section,) = tree.xpath("//section[h2[@id='without']]")
    assert text(section.xpath("h2")[0]) == "Without made-no-hyperv, made-intel"
    assert "gained: a plan that holds for every host" in text(section)
    assert not parsed(page_of(pool)).xpath("//*[@id='without']")


ATTACK = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;{{ 7*7 }}{% raw %}</style></title>"


def test_what_hosts_say_is_text() -> None:
    host = made_amd_host(ATTACK)
    host = host._replace(
        kvm=host.kvm._replace(release=ATTACK),
        hardware=host.hardware._replace(vendor=ATTACK, model_name=ATTACK),
        qemu=(made_qemu(unknown=("hv-emsr-bitmap",))._replace(path=ATTACK, version=ATTACK, models=(ATTACK,)),),
        libvirt=Libvirt(ATTACK, ()),
    )
    pool = pool_of(host, made_amd_host("b"), made_amd_host("c"))
    page = page_of(pool, gain_of(pool, ATTACK))
    tree = parsed(page)
    assert not tree.xpath("//script | //img | //@onerror")
    assert len(tree.xpath("//style")) == len(tree.xpath("//title")) == 1
    assert tree.text_content().count(ATTACK) >= 8
    assert "49" not in re.sub(r"<style>.*</style>", "", page, flags=re.DOTALL)


def test_letters_of_every_script_survive_in_ascii() -> None:
    page = page_of(pool_of(made_amd_host("узел-1 “ß” 東京 \U0001f600")))
    assert page.isascii()
    assert "узел-1 “ß” 東京 \U0001f600" in parsed(page).text_content()


def schemes(page: str) -> tuple[dict[str, str], dict[str, str]]:
    """The custom properties of the light and the dark scheme."""
    light, dark = (
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block)) for block in re.findall(r":root \{(.*?)\}", page, re.S)
    )
    return light, dark


def luminance(color: str) -> float:
    """WCAG 2.2's relative luminance."""
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_both_schemes_have_every_colour_and_enough_contrast() -> None:
    for colors in schemes(page_of(POOLS["one"])):
        assert len(colors) == 13
        for ground in ("page", "head"):
            assert all(contrast(colors[ink], colors[ground]) >= 4.5 for ink in ("ink", "soft", "link"))
        for state in ("yes", "no", "some"):
            assert contrast(colors[f"{state}-ink"], colors[state]) >= 4.5
            assert contrast(colors[f"{state}-ink"], colors["page"]) >= 4.5
        assert contrast(colors["focus"], colors["page"]) >= 3
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


# Looks into pages that stand in frames, each of a screen's width; Chromium's own windows are never narrower than 500.
MEASURE = """
const luminance = c => { const [r, g, b] = c.map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const parts = c => c.match(/[0-9.]+/g).map(Number);
const ground = e => { for (; e; e = e.parentElement) { const c = parts(getComputedStyle(e).backgroundColor);
  if (c.length < 4 || c[3]) return c.slice(0, 3); } };
const contrast = e => { const both = [parts(getComputedStyle(e).color), ground(e)].map(luminance);
  return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05); };
const measure = frame => {
  const doc = frame.contentDocument, root = doc.documentElement, region = doc.querySelector("[role=region]");
  const texts = [...doc.body.querySelectorAll("*")].filter(e => e.checkVisibility()
    && [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim()));
  const contrasts = texts.map(contrast);
  const focus = [...doc.querySelectorAll("a, summary, [tabindex]")].map(e => { e.focus();
    return doc.activeElement == e && getComputedStyle(e).outlineStyle == "solid"; });
  doc.activeElement.blur();
  region.scrollLeft = region.scrollTop = 100000;
  const inside = region.getBoundingClientRect();
  const edges = [...doc.querySelectorAll("tbody th")].map(e => e.getBoundingClientRect().left - inside.left);
  const head = doc.querySelector("thead th:last-child").getBoundingClientRect();
  const under = (x, y) => { frame.scrollIntoView(); region.scrollIntoView(); const r = region.getBoundingClientRect();
    return doc.elementFromPoint(r.left + x, r.top + y)?.closest("th") != null; };
  return { width: frame.contentWindow.innerWidth, document: [root.scrollWidth, root.clientWidth],
    region: [region.scrollWidth, region.clientWidth],
    edge: Math.max(...edges.map(Math.abs)), head: head.top - inside.top,
    over: [under(20, 200), under(20, 20), under(200, 20)],
    texts: texts.length, contrast: Math.min(...contrasts), background: getComputedStyle(doc.body).backgroundColor,
    focusable: focus.length, focused: focus.every(Boolean), scripts: doc.scripts.length,
    requests: frame.contentWindow.performance.getEntriesByType("resource").map(e => e.name),
    broken: [...doc.querySelectorAll("tbody th a")].filter(e => !e.textContent.includes("-") && e.offsetHeight > 30)
      .map(e => e.textContent) };
};
addEventListener("load", () => {
  const found = [...document.querySelectorAll("iframe")].map(measure);
  document.body.replaceChildren(Object.assign(document.createElement("pre"), { textContent: JSON.stringify(found) }));
});
"""
WIDTHS = (320, 390, 1280)
FRAMED = {"twelve": POOLS["twelve"], "a hundred alike": POOLS["a hundred alike"]}
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)


def chromium(folder: Path, page: str, *flags: str) -> str:
    """What Chromium prints about a page; it keeps all it writes in the folder."""
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
    """Each page at each width, in one of the colour schemes."""
    frames = "".join(
        f'<iframe width="{width}" height="800" srcdoc="{html.escape(page_of(pool, all_names=True))}"></iframe>'
        for pool in FRAMED.values()
        for width in WIDTHS
    )
    style = "<style>:root { color-scheme: light dark } iframe { border: 0; display: block }</style>"
    page = f"<!DOCTYPE html><meta charset=utf-8>{style}<script>{MEASURE}</script><body>{frames}"
    shown = chromium(tmp_path_factory.mktemp("chromium"), page, preferring(request.param), "--dump-dom")
    result = re.search(r"<pre>(.*)</pre>", shown, re.DOTALL)
    assert result, shown[:1000]
    found: list[dict[str, Any]] = json.loads(html.unescape(result[1]))
    assert [one["width"] for one in found] == [*WIDTHS] * len(FRAMED)
    # What was measured is what was asked for.
    assert {one["background"] for one in found} == {
        {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 28)"}[request.param]
    }
    return found


def test_it_is_shown_without_a_request_or_a_script(measured: list[dict[str, Any]]) -> None:
    assert [(one["requests"], one["scripts"]) for one in measured] == [([], 0)] * len(measured)


def test_only_the_matrix_scrolls_sideways(measured: list[dict[str, Any]]) -> None:
    assert all(inner <= outer for one in measured for inner, outer in [one["document"]])
    assert all(inner > outer for one in measured[: len(WIDTHS)] for inner, outer in [one["region"]])


def test_the_names_of_rows_and_columns_stay_when_the_matrix_is_scrolled(measured: list[dict[str, Any]]) -> None:
    # A border stands between.
    assert all(one["edge"] <= 1 and 0 <= one["head"] <= 1 for one in measured)
    assert all(one["over"] == [True] * 3 for one in measured)
    assert [one["broken"] for one in measured] == [[]] * len(measured)


def test_every_text_has_enough_contrast(measured: list[dict[str, Any]]) -> None:
    assert all(one["texts"] > 300 and one["contrast"] >= 4.5 for one in measured)


def test_all_that_leads_somewhere_takes_the_focus_and_shows_it(measured: list[dict[str, Any]]) -> None:
    assert all(one["focusable"] > 80 and one["focused"] for one in measured)
