"""The files of the pages: kept by browsers for good under their digest, asked for anew without it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from cloud.portal.assets import Assets

_MODULE = 'import { b } from "./b.js";\nimport c from "c";\nexport const a = 1;\n'


@pytest.fixture
def assets(tmp_path: Path) -> Assets:
    (tmp_path / "vendor").mkdir()
    (tmp_path / "a.js").write_text(_MODULE)
    (tmp_path / "b.js").write_text('import "x";\nexport { d } from "./vendor/d.js";\n')
    (tmp_path / "vendor" / "c.mjs").write_text('import { d } from "./d.js";\n')
    (tmp_path / "vendor" / "d.js").write_text("export const d = 1;\n")
    return Assets(tmp_path, {"c": "vendor/c.mjs"})


@pytest.fixture
def client(assets: Assets) -> Iterator[TestClient]:
    app = FastAPI()
    app.mount("/static", assets)
    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize(("encoding", "sent"), [("gzip, br", "gzip"), ("identity", None)])
def test_file_under_its_digest_is_kept_for_good(
    client: TestClient, assets: Assets, encoding: str, sent: str | None
) -> None:
    answer = client.get(assets.address("a.js"), headers={"Accept-Encoding": encoding})

    assert answer.text == _MODULE
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers.get("content-encoding") == sent
    assert answer.headers["vary"] == "Accept-Encoding"


def test_file_without_digest_is_asked_for_anew_and_sent_once(client: TestClient) -> None:
    first = client.get("/static/a.js")
    again = client.get("/static/a.js", headers={"If-None-Match": first.headers["etag"]})

    assert first.headers["cache-control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("name", ["none.js", "0123456789ab/a.js", "..%2ftest_assets.py", "%2e%2e/a.js", ""])
def test_what_is_not_there_is_not_found(client: TestClient, name: str) -> None:
    assert client.get(f"/static/{name}").status_code == 404


def test_files_cannot_be_written(client: TestClient) -> None:
    assert client.post("/static/a.js").status_code == 405


def test_modules_of_a_page_are_all_that_it_imports_each_once(assets: Assets) -> None:
    assert assets.modules_of("a.js") == ["a.js", "b.js", "vendor/c.mjs", "vendor/d.js"]


def test_digest_changes_with_any_file(assets: Assets, tmp_path: Path) -> None:
    (tmp_path / "vendor" / "d.js").write_text("export const d = 2;\n")

    assert Assets(tmp_path, {}).digest != assets.digest
    assert Assets(tmp_path, {}).digest == Assets(tmp_path, {}).digest
