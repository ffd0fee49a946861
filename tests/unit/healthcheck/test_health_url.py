"""Taking URLs apart: what is no plain http address is refused with a reason."""

import pytest
from healthcheck.url import split_url


def test_url_parts() -> None:
    assert split_url("http://localhost:81/x") == ("127.0.0.1", 81, "/x")
    assert split_url("http://10.0.0.1") == ("10.0.0.1", 80, "/")
    assert split_url("http://[::1]:9000/health?x=1") == ("::1", 9000, "/health?x=1")


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "http://chroma:8080/healthz",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:x/",
        "http://127.0.0.256/",
        "http://[::1/",
        "http://[::1]9000/",
        "http://127.0.0.1:/",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/\r\nX: y",
    ],
)
def test_what_is_none(url: str) -> None:
    with pytest.raises(ValueError, match=r"has |does not start"):
        split_url(url)
