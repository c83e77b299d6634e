"""The OpenAPI document: what FastAPI says of the routes, and what holds for all of them.

Every refusal is a problem document, so the errors of FastAPI are told nowhere; every body has an example.
What middleware does for all routes alike, keys and tags, is told as headers.
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from pydantic import BaseModel, Field

from cloud.api.examples import EXAMPLES

_PROBLEM: Final = "application/problem+json"
_REFERENCE: Final = {"$ref": "#/components/schemas/Problem"}
_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "made up by the caller: the same request with the same key, within a day, has one effect",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[A-Za-z0-9_-]+$"},
}
_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "the ETag that GET gave: changed only if it is still that, else 412",
    "schema": {"type": "string", "maxLength": 1000},
}
_CHANGING: Final = frozenset({"put", "patch", "delete"})
_OF_FASTAPI: Final = ("HTTPValidationError", "ValidationError")
_REFUSALS: Final = {
    "4XX": "Refused: the `detail` says what is wrong, where, and what to do",
    "5XX": "Not possible now: the `detail` says why; where waiting helps, Retry-After says how long",
}


class Problem(BaseModel):
    """Why a request was refused, in one line for a person (RFC 9457)."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(ge=400, le=599, examples=[404])
    detail: str = Field(examples=["there is no detector 'persons'"])


class Application(FastAPI):
    """FastAPI with our document."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document; it is made once."""
        if self.openapi_schema is None:
            document = super().openapi()
            schemas = document["components"]["schemas"]
            schemas["Problem"] = Problem.model_json_schema()
            for name in _OF_FASTAPI:
                schemas.pop(name, None)
            for name, schema in schemas.items():
                # Where answers have more than bodies, FastAPI tells of two schemas.
                if (example := EXAMPLES.get(name.removesuffix("-Input"))) is not None:
                    schema["examples"] = [example]
            for path in document["paths"].values():
                for method, operation in path.items():
                    _tell_refusals(operation["responses"])
                    _tell_headers(method, path, operation)
            self.openapi_schema = document
        return self.openapi_schema


def _tell_refusals(responses: dict[str, Any]) -> None:
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]
    for status, words in _REFUSALS.items():
        responses[status] = {"description": words, "content": {_PROBLEM: {"schema": dict(_REFERENCE)}}}


def _tell_headers(method: str, path: dict[str, Any], operation: dict[str, Any]) -> None:
    parameters = operation.setdefault("parameters", [])
    if method == "post":
        parameters.append(dict(_KEY))
    elif method in _CHANGING and "get" in path:
        parameters.append(dict(_MATCH))
