"""`/docs` and `/openapi.json`, from files in the image: no browser needs another host for them."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse, Response

from cortex_api.problems import ProblemDocument

router = APIRouter(include_in_schema=False)
_KINDS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}
_CACHED = {"Cache-Control": "public, max-age=86400"}


@router.get("/docs")
async def docs() -> HTMLResponse:
    """Swagger UI. Open: it holds no data, and asks for a token before it can read any."""
    return get_swagger_ui_html(
        openapi_url="openapi.json",
        title="Cortex API",
        swagger_js_url="docs/swagger-ui-bundle.js",
        swagger_css_url="docs/swagger-ui.css",
        swagger_favicon_url="docs/favicon.png",
    )


for _name, _kind in _KINDS.items():

    def _asset(name: str = _name, kind: str = _kind) -> Response:
        return Response(
            files("fastapi_offline").joinpath("static", name).read_bytes(), headers=_CACHED, media_type=kind
        )

    router.add_api_route(f"/docs/{_name}", lambda name=_name, kind=_kind: _asset(name, kind), methods=["GET"])


def install_openapi(app: FastAPI) -> None:
    """Add the problem document and the bearer token to the schema; FastAPI knows neither."""
    original = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = original()
            components = schema.setdefault("components", {})
            shape = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
            components.setdefault("schemas", {}).update(shape.pop("$defs", {}))
            components["schemas"]["ProblemDocument"] = shape
            components["schemas"].pop("HTTPValidationError", None)
            components["schemas"].pop("ValidationError", None)
            components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            schema["security"] = [{"token": []}]
            schema["paths"]["/healthz"]["get"]["security"] = []
        return app.openapi_schema or schema

    app.openapi = openapi  # type: ignore[method-assign]
