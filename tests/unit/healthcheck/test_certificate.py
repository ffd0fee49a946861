"""The end of a certificate, read out of real files."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from healthcheck.actions import Phase
from healthcheck.certificate import ends_wall_s
from healthcheck.limits import Limits, ServerKind
from healthcheck.observer import Observer

from infra.certificates import make_authority, sign_server

NOW = datetime.now(UTC).replace(microsecond=0)


def bundle(days: int, now: datetime = NOW) -> str:
    return sign_server(make_authority("x", now), ["localhost"], days, now).bundle


@pytest.mark.parametrize("ago_days", [0, 400])
def test_it_is_read_also_when_it_has_ended(tmp_path: Path, ago_days: int) -> None:
    file = tmp_path / "certificate.pem"
    made = NOW - timedelta(days=ago_days)
    file.write_text(bundle(90, made))
    assert ends_wall_s(str(file)) == pytest.approx((made + timedelta(days=90)).timestamp(), abs=1)


def test_the_first_of_a_chain_counts(tmp_path: Path) -> None:
    authority = make_authority("x", NOW)
    file = tmp_path / "certificate.pem"
    leaf, key = sign_server(authority, ["localhost"], 30, NOW).bundle.split("-----BEGIN PRIVATE", 1)
    file.write_text(f"{leaf}{authority.certificate}-----BEGIN PRIVATE{key}")
    assert ends_wall_s(str(file)) == pytest.approx((NOW + timedelta(days=30)).timestamp(), abs=1)


@pytest.mark.parametrize("content", ["", "nothing", "-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n"])
def test_what_is_none_is_an_error_of_the_system(tmp_path: Path, content: str) -> None:
    file = tmp_path / "certificate.pem"
    file.write_text(content)
    with pytest.raises(ssl.SSLError):
        ends_wall_s(str(file))
    with pytest.raises(FileNotFoundError):
        ends_wall_s(str(tmp_path / "nothing"))


def test_the_observer_sees_it_and_says_why_not(tmp_path: Path) -> None:
    file = tmp_path / "certificate.pem"
    observer = Observer(Limits(server=ServerKind.NONE, certificate=str(file)))
    try:
        seen = observer.observe(None, Phase.SERVING)
        assert (seen.certificate_ends_wall_s, "No such file" in seen.problem("certificate")) == (None, True)
    finally:
        observer.close()
    file.write_text(bundle(90))
    observer = Observer(Limits(server=ServerKind.NONE, certificate=str(file)))
    try:
        seen = observer.observe(None, Phase.SERVING)
        assert seen.certificate_ends_wall_s == ends_wall_s(str(file))
    finally:
        observer.close()
