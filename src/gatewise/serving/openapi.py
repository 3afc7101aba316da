"""What the server answers, as an OpenAPI 3.1 description of the models that it has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gatewise import __version__

if TYPE_CHECKING:
    from gatewise.serving.models import Model

__all__ = ["description_of"]

_ERROR = {
    "type": "object",
    "required": ["error", "request_id"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message"],
            "properties": {name: {"type": "string"} for name in ("message", "expected", "got", "fix")},
        },
        "request_id": {"type": "string"},
    },
}
_STATUSES = {
    "400": "the body is not JSON, or has no inputs",
    "401": "the token is missing or another one",
    "403": "the origin may not use this server",
    "404": "there is no such model",
    "408": "the body did not arrive in time",
    "413": "the body is too long",
    "421": "the server is not called by that name",
    "422": "an input cannot be read",
    "503": "the server is busy or stopping",
}


def description_of(models: Sequence[Model]) -> dict[str, Any]:
    """The description.

    Example:
        >>> description_of([])["openapi"]
        '3.1.0'
    """
    paths: dict[str, Any] = {
        "/health": {"get": _get("Whether the server answers, without a token", "object")},
        "/metrics": {"get": _get("Numbers for Prometheus", None)},
        "/openapi.json": {"get": _get("This description", "object")},
        "/v1/models": {"get": _get("All models", "object")},
    }
    for model in models:
        place = f"/v1/models/{model.name}"
        paths[place] = {"get": _get(f"The model {model.name}", "object")}
        paths[f"{place}/predict"] = {"post": _predict(model)}
        if model.stream is not None:
            paths[f"{place}/stream"] = {"get": _stream(model)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "gatewise serve", "version": __version__, "description": "Trained recurrent networks."},
        "paths": paths,
        "components": {
            "schemas": {"Error": _ERROR},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}, {}],
    }


def _get(summary: str, kind: str | None) -> dict[str, Any]:
    content = {"text/plain": {}} if kind is None else {"application/json": {"schema": {"type": kind}}}
    return {"summary": summary, "responses": {"200": {"description": summary, "content": content}, **_errors("401")}}


def _predict(model: Model) -> dict[str, Any]:
    body = {
        "type": "object",
        "required": ["inputs"],
        "properties": {"inputs": {"type": "array", "minItems": 1, "items": dict(model.trained.input_schema)}},
    }
    answer = {
        "type": "object",
        "properties": {
            "model": {"type": "string"},
            "weights": {"type": "string"},
            "answers": {"type": "array", "items": {"type": "object"}},
        },
    }
    content: dict[str, Any] = {"application/json": {"schema": body}}
    for kind in model.trained.body_types:  # the whole body is one input
        content[f"{kind}*" if kind.endswith("/") else kind] = {}
    return {
        "summary": f"Predictions of {model.name} ({model.trained.spec.task})",
        "requestBody": {"required": True, "content": content},
        "responses": {
            "200": {"description": "one answer per input", "content": {"application/json": {"schema": answer}}},
            **_errors(*_STATUSES),
        },
    }


def _stream(model: Model) -> dict[str, Any]:
    assert model.stream is not None
    name = model.stream.binary
    binary = "" if name is None else f" A binary message holds the next steps: {name}, as it is."
    return {
        "summary": f"A WebSocket: {model.name} step by step, the state on the server",
        "description": "Each message is a JSON object; x-messages describes those of the client." + binary,
        "x-messages": {
            "open": {
                "settings": {"type": "object", "properties": dict(model.stream.settings_schema)},
                "answers": {"enum": ["last", "all"], "default": "last"},
                "state": {"type": "string", "description": "of an earlier stream"},
            },
            "steps": {
                "number": {"type": "integer", "description": "one more than the message before"},
                **model.stream.message,
                "end": {"type": "boolean", "description": "nothing of the text follows"},
                "state": {"type": "boolean", "description": "whether the answer holds the state"},
            },
            "state": {},
            "close": {},
        },
        "responses": {"101": {"description": "the stream begins"}, **_errors("401", "403", "421")},
    }


def _errors(*names: str) -> dict[str, Any]:
    schema = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {name: {"description": _STATUSES[name], "content": schema} for name in names}
