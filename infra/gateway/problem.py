"""The gateway's own answers: problem documents (RFC 9457) of the same form as the API's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus

MEDIA_TYPE = "application/problem+json"
_TYPE_PREFIX = "urn:cortex:problem:"
# Set by every way in before anything else; a request that could not be read has none.
REQUEST_ID = "%[var(txn.request_id)]"
_PATH = "%[path,json(utf8s)]"


@dataclass(frozen=True, slots=True)
class Problem:
    """An answer other than success.

    Attributes:
        status: HTTP status.
        slug: End of the problem's type, stable, for programs.
        detail: For the reader who must act; may hold samples of HAProxy (`%[…]`).
        headers: Further header lines, values may hold samples.
    """

    status: int
    slug: str
    detail: str
    headers: tuple[tuple[str, str], ...] = ()

    def returned(self) -> str:
        """The arguments of `http-request return`."""
        return f"return {self._arguments(_PATH)}"

    def instead(self) -> str:
        """The arguments of `http-response return`, in place of what a server answered."""
        # The request is gone by then.
        return f"return {self._arguments(None)}"

    def error(self) -> str:
        """The directive that makes it HAProxy's own answer with this status."""
        # The request may not have been understood: no path.
        return f"http-error {self._arguments(None)}"

    def _arguments(self, path: str | None) -> str:
        body = {
            "type": _TYPE_PREFIX + self.slug,
            "title": _title(self.status),
            "status": self.status,
            "detail": self.detail,
            **({"instance": path} if path else {}),
            "request_id": REQUEST_ID,
        }
        text = json.dumps(body, ensure_ascii=True)
        if "'" in text:
            raise ValueError(f"{self.slug}: an apostrophe would end the text in the configuration")
        headers = "".join(f' hdr {name} "{value}"' for name, value in self.headers)
        return f"status {self.status} content-type {MEDIA_TYPE} lf-string '{text}'{headers}"


def _title(status: int) -> str:
    # Newer names than Python 3.11 has.
    newer = {413: "Content Too Large", 414: "URI Too Long", 422: "Unprocessable Content"}
    return newer.get(status) or HTTPStatus(status).phrase


def retry_after(seconds: int) -> tuple[tuple[str, str], ...]:
    """The header that says when to come again."""
    return (("Retry-After", str(seconds)),)
