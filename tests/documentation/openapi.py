"""Read `docs/openapi.yaml` for the tests."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.yaml"
METHODS = {"get", "post", "put", "patch", "delete"}


class Answer(NamedTuple):
    """One response of the document."""

    operation: str
    status: int
    code: str = ""
    """The error's; blank for what is none."""


def load() -> Any:
    return yaml.safe_load(DOCUMENT.read_text())


def resolve(document: Any, node: Any) -> Any:
    """Return `node`, or the node that it refers to."""
    for name in node.get("$ref", "").split("/")[1:]:
        document = document[name]
    return document if "$ref" in node else node


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    """Return the path, method and definition of each operation."""
    for path, methods in document["paths"].items():
        yield from (
            (path, method, methods[method]) for method in METHODS & set(methods)
        )


def answers(document: Any, *tags: str) -> Iterator[Answer]:
    """Return the responses of each operation, or of those with one of the tags."""
    for *_, operation in operations(document):
        if tags and not set(tags) & set(operation["tags"]):
            continue
        for status, response in operation["responses"].items():
            for code in codes(resolve(document, response)):
                yield Answer(operation["operationId"], int(status), code)


def codes(response: Any) -> list[str]:
    """Return the error codes of a response."""
    content = response.get("content", {}).get("application/json", {})
    error = content.get("schema", {}).get("properties", {}).get("error")
    if error is None:
        return [""]
    code = error["properties"]["code"]
    return list(code["enum"]) if "enum" in code else [code["const"]]
