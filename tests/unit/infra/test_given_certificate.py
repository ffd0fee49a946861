from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from infra.certificates import make_authority, sign_server
from infra.given_certificate import check_given

NOW = datetime(2030, 5, 17, 12, tzinfo=UTC)
KEYS = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("root", "middle", "leaf", "other")}


def certificate(name, issuer, since=NOW, until=NOW + timedelta(days=10), keys=KEYS):
    def called(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    made = (
        x509.CertificateBuilder(called(issuer), called(name), keys[name].public_key(), 7)
        .not_valid_before(since)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=name != "leaf", path_length=None), critical=True)
        .sign(keys[issuer], hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def key(of, form=serialization.PrivateFormat.PKCS8, password=None):
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return of.private_bytes(serialization.Encoding.PEM, form, encryption).decode()


LEAF, MIDDLE, ROOT = certificate("leaf", "middle"), certificate("middle", "root"), certificate("root", "root")
KEY = key(KEYS["leaf"])
TRADITIONAL = serialization.PrivateFormat.TraditionalOpenSSL


@pytest.mark.parametrize(
    "pem",
    [
        LEAF + MIDDLE + KEY,
        LEAF + MIDDLE + ROOT + KEY,
        KEY + LEAF + MIDDLE,
        "subject=CN = leaf\n" + (LEAF + MIDDLE + KEY).replace("\n", "\r\n"),
        LEAF
        + "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
        + key(KEYS["leaf"], TRADITIONAL),
        ROOT + key(KEYS["root"]),
    ],
    ids=["chain", "with its root", "key first", "text and CRLF", "as openssl writes it", "signed by itself"],
)
def test_a_good_bundle_has_no_problem(pem):
    assert check_given(pem, NOW) == []


def test_the_projects_own_bundle_is_a_good_one():
    assert check_given(sign_server(make_authority("dev", NOW), ["localhost"], 90, NOW).bundle, NOW) == []


@pytest.mark.parametrize(
    ("pem", "problems"),
    [
        ("", ["is not PEM"]),
        ("s3cret words", ["is not PEM"]),
        (LEAF.replace("-----END CERTIFICATE-----", ""), ["is not PEM"]),
        (KEY, ["holds no certificate"]),
        (LEAF + MIDDLE, ["holds no private key"]),
        (LEAF + KEY + key(KEYS["other"]), ["holds 2 private keys"]),
        (LEAF + key(KEYS["leaf"], password=b"secret"), ["an encrypted private key"]),
        (LEAF + key(KEYS["leaf"], TRADITIONAL, b"secret"), ["an encrypted private key"]),
        (LEAF + key(KEYS["other"]), ["a private key that does not fit the first certificate"]),
        (MIDDLE + LEAF + KEY, ["fits certificate 2; that one must be the first", "certificate 2 did not sign"]),
        (LEAF + ROOT + MIDDLE + KEY, ["certificate 2 did not sign certificate 1", "certificate 3 did not sign"]),
        (LEAF.replace("MII", "AAA", 1) + KEY, ["a certificate that cannot be read, number 1"]),
        (LEAF + KEY.replace("MI", "AA", 1), ["a private key that cannot be read"]),
        (LEAF + KEY + "-----BEGIN X509 CRL-----\n-----END X509 CRL-----\n", ["a block X509 CRL"]),
    ],
)
def test_a_bad_bundle_is_told_in_words_that_do_not_repeat_it(pem, problems):
    found = check_given(pem, NOW)
    assert len(found) == len(problems), found
    for said, wanted in zip(found, problems, strict=True):
        assert wanted in said
    told = "\n".join(found)
    assert not any(line in told for line in pem.splitlines() if line and not line.startswith("-----"))


def test_a_certificate_that_ended_or_has_not_begun_is_refused():
    day = timedelta(days=1)
    past = certificate("leaf", "middle", NOW - 9 * day, NOW - day)
    assert check_given(past + MIDDLE + KEY, NOW) == ["has expired: certificate 1 was good until 2030-05-16 12:00 UTC"]
    short = certificate("leaf", "middle", NOW - day, NOW + 6 * day)
    assert check_given(short + MIDDLE + KEY, NOW) == [
        "ends soon: certificate 1 is good until 2030-05-23 12:00 UTC, and 7 days are the least"
    ]
    coming = certificate("middle", "root", NOW + day)
    assert check_given(LEAF + coming + KEY, NOW) == ["is not good yet: certificate 2 begins on 2030-05-18 12:00 UTC"]


def test_a_chain_of_the_same_names_but_other_keys_is_out_of_order():
    impostor = certificate("middle", "root", keys={**KEYS, "middle": KEYS["other"]})
    assert "did not sign certificate 1" in check_given(LEAF + impostor + KEY, NOW)[0]


def test_a_short_rsa_key_is_refused():
    keys = {"leaf": rsa.generate_private_key(65_537, 1_024)}  # noqa: S505 -- what is refused
    (said,) = check_given(certificate("leaf", "leaf", keys=keys) + key(keys["leaf"], TRADITIONAL), NOW)
    assert "RSA key of 1024 bits" in said
