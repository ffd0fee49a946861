"""Runs a part of the program without an engine, and records every resource it registers, with its options."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.struct_pb2 import Struct
from pulumi import Output
from pulumi.runtime import rpc, settings
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks, set_mocks
from pulumi.runtime.stack import run_pulumi_func


@dataclass(frozen=True)
class Registered:
    """A resource as it was registered; `request` holds its options by their wire names."""

    urn: str
    inputs: dict[str, Any]
    request: Any


def is_secret(value: object) -> bool:
    """Whether an input was registered as a secret."""
    return isinstance(value, dict) and value.get(rpc._special_sig_key) == rpc._special_secret_sig


def opened(value: Any) -> Any:
    """A value with every secret in it opened."""
    if is_secret(value):
        return opened(value["value"])
    if isinstance(value, dict):
        return {key: opened(item) for key, item in value.items()}
    return [opened(item) for item in value] if isinstance(value, list) else value


def in_clear(value: Any) -> Any:
    """A value with every secret in it left out."""
    if is_secret(value):
        return None
    if isinstance(value, dict):
        return {key: in_clear(item) for key, item in value.items()}
    return [in_clear(item) for item in value] if isinstance(value, list) else value


CARRIED = {name: f"{name}-of-the-backup" for name in ("token-admin-1", "token-former-1", "authority", "authority-key")}
"""What the backup carries that a stack begins with: more than the stack wants, and less."""


class Answers(Mocks):
    """What the providers would answer: inputs come back as outputs, with the outputs that the program waits for."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        made = {
            "docker:index/remoteImage:RemoteImage": {"imageId": f"sha256:of-{args.name}"},
            "docker-build:index:Image": {"ref": f"{args.name}@sha256:pushed", "digest": "sha256:pushed"},
            "pulumi-python:dynamic/cortex:RandomWord": {"value": f"word-of-{args.name}"},
            "pulumi-python:dynamic/cortex:CertificateAuthority": {
                "certificate": f"certificate-of-{args.name}",
                "key": f"key-of-{args.name}",
            },
            "pulumi-python:dynamic/cortex:ServerCertificate": {
                "bundle": f"bundle-of-{args.name}",
                "not_after": "2040-01-01T00:00:00+00:00",
            },
            "pulumi-python:dynamic/cortex:Restored": {"printed": json.dumps({"secrets": CARRIED})},
        }
        return f"{args.name}-id", {**args.inputs, **made.get(args.typ, {})}

    def call(self, _args: MockCallArgs) -> dict[str, Any]:
        return {}


class Recorder(MockMonitor):
    """A monitor that keeps every registration, by URN."""

    def __init__(self) -> None:
        super().__init__(Answers())
        self.registered: dict[str, Registered] = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the engine's name
        response = super().RegisterResource(request)
        # As the engine does: whatever is made of such an output is a secret too.
        for key in {*request.additionalSecretOutputs} & {*response.object}:
            secret = Struct()
            secret.update({rpc._special_sig_key: rpc._special_secret_sig, "value": response.object[key]})
            response.object[key] = secret
        inputs = rpc.deserialize_properties(request.object, keep_unknowns=True)
        self.registered[response.urn] = Registered(response.urn, inputs, request)
        return response

    def one(self, kind: str, name: str) -> Registered:
        """The resource of this type token and name."""
        (found,) = [
            entry for entry in self.registered.values() if (entry.request.type, entry.request.name) == (kind, name)
        ]
        return found


def record(program: Callable[[], None], stack: str = "dev") -> Recorder:
    """Run a program in an event loop of its own: Pulumi's state is global, and a loop must not outlive its test."""
    recorder = Recorder()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        settings.reset_options()
        set_mocks(recorder.mocks, project="cortex", stack=stack, preview=False, monitor=recorder)
        loop.run_until_complete(run_pulumi_func(program))
    finally:
        settings.reset_options()
        asyncio.set_event_loop(None)
        loop.close()
    return recorder


def known(output: Output[Any], what: str = "future") -> Any:
    """What an output has become after its program ran."""
    return asyncio.run(_awaited(getattr(output, what)))


async def _awaited(future: Any) -> Any:
    done = future() if callable(future) else future
    return await done
