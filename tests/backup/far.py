"""Targets for backups, as bare servers on this machine that can be taken away and come back: S3 and SFTP."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import secrets
import socket
import threading
from pathlib import Path
from typing import Any, Protocol

import asyncssh
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.recovery.servers import Server, free_port

LOOPBACK = "127.0.0.1"
BUCKET = "backups"
_LIMIT_S = 30


class Far(Protocol):
    """A place for backups."""

    def settings(self) -> dict[str, Any]:
        """The key `target` of the configuration."""

    def start(self) -> None:
        """Let it answer."""

    def stop(self) -> None:
        """Take it away; what is stored there stays."""


class Directory:
    """A directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)

    def settings(self) -> dict[str, Any]:
        return {"kind": "directory", "path": str(self.folder)}

    def start(self) -> None:
        """It is always there."""

    def stop(self) -> None:
        """It is always there."""


class S3(Server):
    """`rclone serve s3` over a directory, with a certificate of an own authority."""

    def __init__(self, folder: Path, address: str = LOOPBACK) -> None:
        folder.mkdir(parents=True)
        self.address = address
        self.key, self.secret = secrets.token_hex(8), secrets.token_hex(16)
        self._certificate, self._private_key = folder / "certificate.pem", folder / "key.pem"
        self._ca = _write_certificate(address, self._certificate, self._private_key)
        super().__init__(folder, {"RCLONE_CONFIG": "", "RCLONE_AUTH_KEY": f'"{self.key},{self.secret}"'})
        (self.store / BUCKET).mkdir()
        self.url = f"https://{address}:{self.port}"

    def command(self) -> list[str]:
        secured = ["--cert", str(self._certificate), "--key", str(self._private_key)]
        return ["rclone", "serve", "s3", *secured, "--addr", f"{self.address}:{self.port}", str(self.store)]

    def ready(self) -> bool:
        return self._answers_at_all()

    def settings(self) -> dict[str, Any]:
        return {
            "kind": "s3",
            "endpoint": self.url,
            "bucket": BUCKET,
            "prefix": "here/it/is",
            "region": "",
            "path_style": True,
            "access_key_id": self.key,
            "secret_access_key": self.secret,
            "ca": self._ca,
        }

    def start(self) -> None:
        super().start()
        self.wait_ready()

    def stop(self, limit_s: float = 60.0) -> int | None:  # noqa: ARG002 (killed: its clients see connections break)
        self.kill()
        return None

    def _answers_at_all(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((self.address, self.port)) == 0


class Sftp:
    """An SSH server that offers a directory, and nothing else."""

    def __init__(self, folder: Path, address: str = LOOPBACK) -> None:
        self.folder = folder
        self.address = address
        folder.mkdir(parents=True)
        self._host_key = asyncssh.generate_private_key("ssh-ed25519")
        self._user_key = asyncssh.generate_private_key("ssh-ed25519")
        self._port = free_port()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._listener: asyncssh.SSHAcceptor | None = None

    def settings(self) -> dict[str, Any]:
        return {
            "kind": "sftp",
            "host": self.address,
            "port": self._port,
            "user": "backup",
            "path": "backups",
            "private_key": self._user_key.export_private_key().decode(),
            "host_key": self._host_key.export_public_key().decode().strip(),
        }

    def start(self) -> None:
        self._listener = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(_LIMIT_S)

    def stop(self) -> None:
        if self._listener is not None:
            asyncio.run_coroutine_threadsafe(self._close(self._listener), self._loop).result(_LIMIT_S)
            self._listener = None

    def end(self) -> None:
        """For good."""
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_LIMIT_S)
        self._loop.close()

    async def _listen(self) -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            self.address,
            self._port,
            server_host_keys=[self._host_key],
            authorized_client_keys=asyncssh.import_authorized_keys(self._user_key.export_public_key().decode()),
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(self.folder)),
        )

    @staticmethod
    async def _close(listener: asyncssh.SSHAcceptor) -> None:
        listener.close()
        await listener.wait_closed()


def _write_certificate(address: str, certificate: Path, private_key: Path) -> str:
    """A certificate for an address that signs itself; it is returned."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "far")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    certificate.write_bytes(pem)
    plain = serialization.NoEncryption()
    private_key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return pem.decode()
