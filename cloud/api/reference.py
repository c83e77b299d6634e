"""The page /docs: every route of the API, from its OpenAPI document; no script, nothing from elsewhere."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment

router = APIRouter(include_in_schema=False)

_TEXT: Final = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>HTTP API · elfowl</title>
  <link rel="icon" href="/static/owl.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/static/tokens.css">
  <link rel="stylesheet" href="/static/portal.css">
</head>
<body>
  <header class="bar">
    <a class="mark" href="/"><img src="/static/owl.svg" alt="" width="28" height="28"> elfowl</a>
  </header>
  <main>
    <h1>HTTP API</h1>
    <p>elfowl {{ version }}. Requests and answers in full: <a href="/openapi.json">openapi.json</a>
      (OpenAPI 3.1). Errors are problem documents, <code>{type, title, status, detail}</code>.
      Where people have accounts, send <code>Authorization: Bearer TOKEN</code>, with an API token of the page
      <a href="/settings">Settings</a> or the server's access token.</p>
  {% for group, routes in groups.items() %}
    <h2>{{ group|capitalize }}</h2>
    <div class="scroll"><table>
      <thead><tr><th scope="col">Method</th><th scope="col">Path</th><th scope="col">What it does</th>
        <th scope="col">Takes</th></tr></thead>
      <tbody>
      {% for route in routes %}
        <tr><td><code>{{ route.method }}</code></td><td><code>{{ route.path }}</code></td>
          <td>{{ route.summary }}</td><td>{{ route.takes }}</td></tr>
      {% endfor %}
      </tbody>
    </table></div>
  {% endfor %}
  </main>
</body>
</html>
"""
_PAGE: Final = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(_TEXT)
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'self'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class RouteLine:
    """One row of the page."""

    method: str
    path: str
    summary: str
    takes: str


@router.get("/docs", response_class=HTMLResponse)
def reference(request: Request) -> HTMLResponse:
    """Show all routes."""
    document = request.app.openapi()
    page = _PAGE.render(groups=route_lines(document), version=document["info"]["version"])
    return HTMLResponse(page, headers=_HEADERS)


def route_lines(document: dict[str, Any]) -> dict[str, list[RouteLine]]:
    """Return the routes of an OpenAPI document by tag, in its order."""
    groups: dict[str, list[RouteLine]] = defaultdict(list)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            groups[operation["tags"][0]].append(
                RouteLine(method.upper(), path, operation["summary"], _takes(operation))
            )
    return dict(groups)


def _takes(operation: dict[str, Any]) -> str:
    """Return what a request carries: names of query parameters, and the kind of its body."""
    query = [f"?{one['name']}" for one in operation.get("parameters", []) if one["in"] == "query"]
    content = operation.get("requestBody", {}).get("content", {})
    bodies = [_body_name(kind, media) for kind, media in content.items()]
    return ", ".join([*query, *bodies])


def _body_name(kind: str, media: dict[str, Any]) -> str:
    schema = media.get("schema", {})
    options = [schema, *schema.get("anyOf", [])]
    names = [one["$ref"].rpartition("/")[2] for one in options if "$ref" in one]
    return names[0] if names else kind
