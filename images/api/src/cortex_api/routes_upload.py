"""`POST /v1/collections/{name}/documents/stream`: NDJSON in, NDJSON out, both while the other goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Literal

import orjson
from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from cortex_api.access_rules import errors, needs, runtime_of
from cortex_api.auth import Role
from cortex_api.logs import get_logger
from cortex_api.runtime import Runtime
from cortex_api.upload import Event, Upload, require_ndjson

_log = get_logger(__name__)
router = APIRouter(prefix="/v1/collections/{name}", tags=["documents"])
MEDIA_TYPE = "application/x-ndjson"
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/Document"},
                "example": '{"id": "a", "text": "first"}\n{"id": "b", "text": "second", "metadata": {"n": 2}}\n',
            }
        },
    }
}
_ANSWER = '{"event": "done", "upserted": 2, "failed": 0, "truncated": 0, "committed_line": 2}\n'


class _Events(Response):
    """Sends events while the request's body is still read. Starlette's own streaming would read the body itself."""

    media_type = MEDIA_TYPE

    def __init__(self, upload: Upload, request: Request) -> None:
        super().__init__()
        del self.headers["Content-Length"]
        self._upload = upload
        self._request = request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 -- ASGI
        """Serve."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        try:
            async for event in self._upload.run(_bytes(self._request)):
                await send(_body(orjson.dumps(event) + b"\n", more=True))
        except ClientDisconnect:
            _log.warning("upload.disconnected", committed_line=self._upload.tally.committed_line)
            return
        except Exception as error:  # the status is sent; the last line must say that it failed
            _log.exception("upload.failed", error=type(error).__name__)
            line: Event = {"event": "aborted", "slug": "internal-error", "request_id": scope["state"]["request_id"]}
            await send(_body(orjson.dumps(line) + b"\n", more=True))
        finally:
            scope["state"]["rows"] = self._upload.tally.upserted
        await send(_body(b"", more=False))


@router.post(
    "/documents/stream",
    responses={
        200: {"description": "events, one per line", "content": {MEDIA_TYPE: {"example": _ANSWER}}},
        **errors(404, 409, 415),
    },
    openapi_extra=_BODY,
    dependencies=[needs(Role.WRITE)],
    response_model=None,
)
async def stream_documents(
    name: str,
    request: Request,
    runtime: Annotated[Runtime, Depends(runtime_of)],
    on_error: Annotated[Literal["stop", "skip"], Query(description="what a wrong line does")] = "stop",
) -> Response:
    """Write any number of records, one JSON document per line, as in an upsert.

    Lines are written in batches as they come; what is written stays, whatever comes later. The answer is NDJSON too:
    `progress` about every second, `failed` for a wrong line, `truncated` with ids of overlong texts, and at the end
    `done` or `aborted`. `committed_line` is the line up to which everything is written: send the rest again from there.
    """
    require_ndjson(request.headers.get("Content-Type"), request.headers.get("Content-Encoding"))
    indexer = runtime.indexer
    collection = await to_thread.run_sync(indexer.writable, name)
    upload = Upload(indexer, collection, runtime.settings, runtime.phase, skip=on_error == "skip")
    return _Events(upload, request)


async def _bytes(request: Request) -> AsyncIterator[bytes]:
    async for data in request.stream():
        yield data


def _body(data: bytes, *, more: bool) -> dict[str, object]:
    return {"type": "http.response.body", "body": data, "more_body": more}
