from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import dill
import pytest
from pulumi.dynamic.dynamic import serialize_provider

from infra.certificate_resources import (
    AuthorityProvider,
    CertificateAuthority,
    ServerCertificate,
    ServerCertificateProvider,
)
from infra.given_certificate import check_given
from tests.unit.infra.pulumi_recorder import is_secret, record

NOW = datetime(2030, 5, 17, 12, tzinfo=UTC)
AUTHORITY = AuthorityProvider().create({"name": "dev", "generation": 1})


class At(ServerCertificateProvider):
    """The provider at a moment that the test chooses."""

    def __init__(self, moment):
        self.moment = moment

    def now(self):
        return self.moment


def wanted(**changes):
    said = {
        "authority_certificate": AUTHORITY.outs["certificate"],
        "authority_key": AUTHORITY.outs["key"],
        "names": ["localhost", "127.0.0.1"],
        "days": 365,
        "generation": 1,
    }
    return said | changes


@pytest.fixture(scope="module")
def made():
    return At(NOW).create(wanted())


def test_an_authority_stays_until_its_generation_changes():
    provider = AuthorityProvider()
    assert set(AUTHORITY.outs) == {"name", "generation", "certificate", "key"}
    news = {"name": "renamed", "generation": 1, "certificate": None, "key": None}
    assert not provider.diff(AUTHORITY.id, AUTHORITY.outs, news).changes
    raised = provider.diff(AUTHORITY.id, AUTHORITY.outs, news | {"generation": 2})
    assert (raised.changes, raised.replaces, raised.delete_before_replace) == (True, ["generation"], False)
    assert provider.create({"name": "dev", "generation": 1}).outs["key"] != AUTHORITY.outs["key"]


def test_an_authority_that_a_rebuilt_stack_had_is_taken_as_a_whole_or_not_at_all():
    had = {"given_certificate": AUTHORITY.outs["certificate"], "given_key": AUTHORITY.outs["key"]}
    again = AuthorityProvider().create({"name": "dev", "generation": 1, **had})
    assert again.outs == AUTHORITY.outs
    made = AuthorityProvider().create({"name": "dev", "generation": 1, **had, "given_key": ""})
    assert made.outs["certificate"] != AUTHORITY.outs["certificate"]
    assert made.outs["key"]


def test_a_made_certificate_can_be_used_and_says_when_it_ends(made):
    assert check_given(made.outs["bundle"], NOW) == []
    assert made.outs["not_after"] == "2031-05-17T12:00:00+00:00"
    assert "authority_key" not in made.outs, "the key that signs is kept once, as an input"
    assert At(NOW).create(wanted()).id != made.id


@pytest.mark.parametrize(
    ("changes", "replaces"),
    [
        ({}, []),
        ({"days": 365.0, "generation": 1.0}, []),
        ({"names": ["localhost"]}, ["names"]),
        ({"days": 90}, ["days"]),
        ({"generation": 2}, ["generation"]),
        ({"authority_certificate": "another"}, ["authority_certificate"]),
    ],
)
def test_a_certificate_is_replaced_when_what_it_says_changes(made, changes, replaces):
    found = At(NOW).diff(made.id, made.outs, wanted(**changes))
    assert (found.changes, found.replaces, found.delete_before_replace) == (bool(replaces), replaces, False)


def test_a_certificate_is_replaced_when_it_is_due(made):
    last_day = NOW + timedelta(days=335)
    assert not At(last_day).diff(made.id, made.outs, wanted()).changes
    due = At(last_day + timedelta(seconds=1)).diff(made.id, made.outs, wanted())
    assert (due.changes, due.replaces) == (True, ["not_after"])
    renewed = At(last_day).create(wanted())
    assert renewed.outs["not_after"] == "2032-04-16T12:00:00+00:00"


@pytest.mark.parametrize("provider", [AuthorityProvider(), ServerCertificateProvider()])
def test_providers_travel_and_have_the_real_clock(provider):
    packed = base64.b64decode(serialize_provider(provider))
    arrived = dill.loads(packed)  # noqa: S301 -- packed one line above
    assert abs(arrived.now() - datetime.now(UTC)) < timedelta(minutes=1)


def test_keys_are_secrets_in_the_state():
    def program():
        authority = CertificateAuthority("dev", 1)
        ServerCertificate("gateway", authority, names=("localhost",), days=365, generation=1)

    found = record(program)
    authority = found.one("pulumi-python:dynamic/cortex:CertificateAuthority", "authority-dev")
    assert list(authority.request.additionalSecretOutputs) == ["key"]
    server = found.one("pulumi-python:dynamic/cortex:ServerCertificate", "certificate-gateway")
    assert list(server.request.additionalSecretOutputs) == ["bundle"]
    assert is_secret(server.inputs["authority_key"])
    assert server.inputs["authority_certificate"] == "certificate-of-authority-dev"
    assert server.inputs["names"] == ["localhost"]
