"""Every page answers, and everything that it asks for is there."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from fastapi import FastAPI
from fastapi.testclient import TestClient

from cloud.portal import pages, vendoring

_PAGES = (
    *("/detectors/det_1/watch", "/detectors/det_1/versions", "/detectors/det_1/review"),
    *("/", "/detectors/det_1", "/detectors/det_1/attributes", "/devices", "/rollouts", "/events", "/search"),
    *(
        "/analytics",
        "/wall",
        "/streams",
        "/alerts",
        "/events/0190a1b2c3d4-abcdef",
        "/bundles/bun_1",
        "/settings",
        "/login",
        "/setup",
    ),
)
_IMPORT = re.compile(r'(?:^|;)\s*(?:import|export)\b[^"\';]*?from\s*["\']([^"\']+)["\']', re.MULTILINE)
_HOSTILE = '<img src=x onerror="alert(1)">'


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    app = FastAPI()
    app.include_router(pages.router)
    app.mount("/static", pages.ASSETS)
    with TestClient(app) as client:
        yield client


def _modules() -> list[Path]:
    return sorted([*pages.STATIC_PATH.glob("*.js"), *(pages.STATIC_PATH / "vendor").glob("*.mjs")])


@pytest.mark.parametrize("path", _PAGES)
def test_page_answers_with_heading_module_and_name(client: TestClient, path: str) -> None:
    answer = client.get(path)

    page = BeautifulSoup(answer.text, "html.parser")
    module = page.select_one("script[type=module]")
    main = page.select_one("main#main")
    assert answer.status_code == 200
    assert main is not None
    assert module is not None
    assert len(page.select("main h1")) == 1
    assert page.select_one("html[lang=en]") is not None
    assert page.title is not None
    assert page.title.text.endswith("elfowl")
    assert module["src"] == pages.ASSETS.address(f"{main['data-module']}.js")


@pytest.mark.parametrize("path", _PAGES)
def test_page_asks_only_for_files_of_ours_that_are_there(client: TestClient, path: str) -> None:
    page = BeautifulSoup(client.get(path).text, "html.parser")

    wanted = [str(tag["src"]) for tag in page.select("script[src], img[src]")]
    wanted += [str(tag["href"]) for tag in page.select("link[href]")]
    assert wanted
    for address in wanted:
        assert client.get(address).status_code == 200, address


@pytest.mark.parametrize("path", _PAGES)
def test_page_names_beforehand_every_module_that_it_loads(client: TestClient, path: str) -> None:
    page = BeautifulSoup(client.get(path).text, "html.parser")

    named = [str(tag["href"]) for tag in page.select("link[rel=modulepreload]")]
    loaded = [str(tag["src"]) for tag in page.select("script[type=module]")]
    for address in loaded:
        below = address.rpartition("/")[0]
        names = dict.fromkeys(_IMPORT.findall(client.get(address).text))
        wanted = [pages.IMPORTS.get(name) or f"{below}/{name.removeprefix('./')}" for name in names]
        loaded += [one for one in wanted if one not in loaded]
    assert sorted(named) == sorted(loaded)


@pytest.mark.parametrize("path", _PAGES)
def test_page_has_no_inline_code_beside_the_import_map(client: TestClient, path: str) -> None:
    page = BeautifulSoup(client.get(path).text, "html.parser")

    inline = list(page.select("script:not([src])"))
    handlers = [tag for tag in page.find_all() if any(name.startswith("on") for name in tag.attrs)]
    assert [tag["type"] for tag in inline] == ["importmap"]
    assert handlers == []
    assert page.select("[style], style") == []


def test_policy_allows_exactly_the_import_map_of_the_page(client: TestClient) -> None:
    answer = client.get("/")

    page = BeautifulSoup(answer.text, "html.parser")
    import_map = page.select_one("script[type=importmap]")
    assert import_map is not None
    digest = hashlib.sha256(str(import_map.string).encode()).digest()
    allowed = re.search(r"script-src 'self' 'sha256-([^']+)'", answer.headers["content-security-policy"])
    assert allowed is not None
    assert allowed[1] == base64.b64encode(digest).decode()
    assert json.loads(str(import_map.string)) == {"imports": pages.IMPORTS}


def test_hostile_id_stays_text(client: TestClient) -> None:
    page = BeautifulSoup(client.get(f"/detectors/{_HOSTILE}").text, "html.parser")

    main = page.select_one("main")
    assert main is not None
    assert main["data-detector"] == _HOSTILE
    assert len(page.select("img")) == 1


@pytest.mark.parametrize("name", pages.IMPORTS)
def test_import_map_leads_to_a_file(client: TestClient, name: str) -> None:
    answer = client.get(pages.IMPORTS[name])

    assert answer.status_code == 200
    assert "javascript" in answer.headers["content-type"]


@pytest.mark.parametrize("module", _modules(), ids=lambda path: path.name)
def test_every_import_of_a_module_resolves(module: Path) -> None:
    for name in _IMPORT.findall(module.read_text("utf-8")):
        known = (module.parent / name).is_file() if name.startswith(".") else name in pages.IMPORTS
        assert known, f"{module.name} imports {name}"


def test_import_pattern_finds_imports() -> None:
    assert _IMPORT.findall('import { h } from "preact";\nimport htm from "htm";\nexport const a = 1;') == [
        "preact",
        "htm",
    ]


@pytest.mark.parametrize("module", sorted(pages.STATIC_PATH.glob("*.js")), ids=lambda path: path.name)
def test_module_is_short_and_names_no_foreign_address(module: Path) -> None:
    text = module.read_text("utf-8")

    assert len(text.splitlines()) < 400
    assert not re.search(r"https?://(?!www\.w3\.org/)", text)
    assert "innerHTML" not in text


def test_vendored_files_are_those_that_vendor_json_names() -> None:
    rows = json.loads((vendoring.VENDOR / "vendor.json").read_text())

    files = {row["file"]: row["sha256"] for row in rows}
    vendored = [*vendoring.VENDOR.glob("*.mjs"), *vendoring.VENDOR.glob("*.css")]
    there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in vendored}
    assert there == files
    assert {(row["package"], row["version"]) for row in rows} == {
        (f.package, f.version) for f in vendoring.FILES
    }
    for row in rows:
        assert (vendoring.VENDOR / f"{row['file']}.LICENSE.txt").read_text().strip()
