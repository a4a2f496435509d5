"""The API described in OpenAPI 3.1, made of the table of operations and the models that they read and answer."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter

from vna.version import version
from vna.web.national.operations import Described, Manner, Reading

_Plain = dict[str, Any]
_REFERENCE = "#/components/schemas/{model}"
_TITLE = "vna teleradiology status API"
_DESCRIPTION = (
    "How orders stand, for hospital systems: a plain form, and the national call names for clients that are there "
    "already. Times are local times of the national profile's zone."
)
_REFUSALS: Mapping[str, str] = {
    "400": "What is asked is malformed, incomplete, or would look at everything",
    "401": "This needs a login",
    "403": "No right to this, or it is of another facility",
    "404": "Nothing is known by this name",
    "503": "A part of the archive does not answer",
}
_CONFLICT = "It does not go with what is kept already, or a rule of the profile is broken"
_TOO_LARGE = "What is sent is larger than is taken"
_TAGS = {Manner.PLAIN: "plain", Manner.NATIONAL: "national call names"}


def described(operations: Iterable[Described], refusals: Mapping[Manner, Any], token_path: str) -> _Plain:
    """The document; `refusals` are the models of what is answered to a request that is refused."""
    operations = list(operations)
    schemas, components = _schemas(operations, refusals)
    paths: dict[str, _Plain] = {}
    for one in operations:
        for number, address in enumerate(one.addresses):
            said = _operation(one, address, schemas, number)
            paths.setdefault(address, {})[one.method.lower()] = said
    return {
        "openapi": "3.1.0",
        "info": {"title": _TITLE, "version": version(), "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in _TAGS.values()],
        "security": [{"token": []}, {"password": []}, {"granted": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "password": {"type": "http", "scheme": "basic"},
                "granted": {"type": "oauth2", "flows": {"password": {"tokenUrl": token_path, "scopes": {}}}},
            },
        },
    }


_Key = tuple[str, str]


def _schemas(operations: list[Described], refusals: Mapping[Manner, Any]) -> tuple[dict[_Key, _Plain], _Plain]:
    """Of each operation what it takes and what it gives, and the schemas that they refer to."""
    inputs: list[tuple[_Key, Any, TypeAdapter[Any]]] = []
    for one in operations:
        inputs.append(((one.name, "takes"), "validation", TypeAdapter(one.asked)))
        inputs.append(((one.name, "gives"), "serialization", TypeAdapter(one.gives)))
    for manner, model in refusals.items():
        inputs.append(((manner.value, "refusal"), "serialization", TypeAdapter(model)))
    found, shared = TypeAdapter.json_schemas(inputs, by_alias=True, ref_template=_REFERENCE)
    return {key: schema for (key, _), schema in found.items()}, shared.get("$defs", {})


def _operation(one: Described, address: str, schemas: Mapping[_Key, _Plain], number: int) -> _Plain:
    refusal = schemas[one.manner.value, "refusal"]
    said: _Plain = {
        "operationId": one.name if number == 0 else f"{one.name}_{number + 1}",
        "summary": one.summary,
        "tags": [_TAGS[one.manner]],
        "responses": {
            "200": {"description": "The answer", "content": _json(schemas[one.name, "gives"])},
            **{code: {"description": words, "content": _json(refusal)} for code, words in _refusals(one)},
        },
    }
    in_path = re.findall(r"\{(\w+)\}", address)
    takes = schemas[one.name, "takes"]
    parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in in_path]
    if one.reading is Reading.BODY:
        if set(one.asked.model_fields) - set(in_path):
            said["requestBody"] = {"required": True, "content": _json(takes)}
    elif one.reading is Reading.QUERY:
        parameters += _query(one.asked.model_json_schema(ref_template=_REFERENCE), in_path)
    else:
        parameters.append({"name": one.reading.value, "in": "query", "required": True, "content": _json(takes)})
    return {**said, "parameters": parameters} if parameters else said


def _refusals(one: Described) -> list[tuple[str, str]]:
    conflict = {"409": _CONFLICT} if one.conflicts else {}
    too_large = {"413": _TOO_LARGE} if one.reading is Reading.BODY else {}
    return sorted({**_REFUSALS, **conflict, **too_large}.items())


def _query(schema: _Plain, in_path: list[str]) -> list[_Plain]:
    required = set(schema.get("required", ()))
    return [
        {"name": name, "in": "query", "required": name in required, "schema": field}
        for name, field in schema["properties"].items()
        if name not in in_path
    ]


def _json(schema: _Plain) -> _Plain:
    return {"application/json": {"schema": schema}}
