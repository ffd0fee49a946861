"""Numbers and foreign words as people read them."""

import pytest
from healthcheck.units import human_bytes, one_line


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (512 << 20, "512 MiB"),
        (3 << 29, "1.5 GiB"),
        (5 << 40, "5.0 TiB"),
        (1 << 62, "4096 PiB"),
    ],
)
def test_human_bytes(count: int, text: str) -> None:
    assert human_bytes(count) == text


def test_foreign_text_stays_on_one_short_line() -> None:
    assert one_line("a\nb\x1b[31m") == "a b [31m"
    assert len(one_line("x" * 10_000)) == 200
