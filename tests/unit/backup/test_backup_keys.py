from __future__ import annotations

import base64

from backup.keys import derive
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY = "dGhpcyBpcyBhIGtleSBmb3IgdGVzdHMsIDMyIGJ5dGU"


def test_passwords_are_those_of_hkdf_for_ever() -> None:
    """Backups made with one release must open with each later one."""
    keys = derive(KEY)
    raw = HKDF(hashes.SHA256(), 32, salt=b"cortex backup", info=b"cortex restic").derive(KEY.encode())
    assert keys.restic_password == base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    assert keys.restic_password == "4yG04s29kMhsIlrYwYrDwqvn1n8vR3uJiJyH5J7JNdE"
    assert len({keys.restic_password, keys.crypt_password, keys.crypt_salt}) == 3
    assert repr(keys) == "Keys()"
    assert derive(KEY + "x") != keys
