"""What the Pulumi program does, in order: nothing is made before everything is known to fit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import pulumi
from pydantic import SecretStr

from infra import feasibility, images, names, standing, topologies
from infra.docker_endpoint import Endpoint
from infra.settings import Settings, SettingsError, load_settings
from infra.settings.origins import key_lines
from infra.settings.problems import placed
from infra.settings.rules import warnings
from infra.settings.target import Target
from infra.sizing import report
from infra.topologies.backup_configuration import KEY
from infra.vocabulary import Role, TargetKind


class Refused(Exception):  # noqa: N818 - the stack is refused; nothing went wrong in the program
    """The stack cannot be made as it was set. The message is for the reader who must act."""


def run() -> None:
    """Make the stack.

    Raises:
        Refused: The settings cannot be used, or the host cannot hold the stack.
    """
    stack = pulumi.get_stack()
    try:
        settings = load_settings(raw_settings(), stack, origins(stack))
        on_docker(stack, settings)
    except SettingsError as error:
        raise Refused(str(error)) from None


def raw_settings() -> dict[str, Any]:
    """All configuration of the project's namespace, secrets opened."""
    config = pulumi.runtime.config.get_config_env()
    prefix = f"{names.PROJECT}:"
    return {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}


def origins(stack: str) -> dict[str, str]:
    """Where each setting of the stack was written."""
    return dict(key_lines(images.ROOT / f"Pulumi.{stack}.yaml"))


def on_docker(stack: str, settings: Settings) -> None:
    """Size, plan and render the stack on a Docker host."""
    # Only the platform in use is loaded: the other's SDK costs half a second.
    from infra.platforms.docker import DockerStack  # noqa: PLC0415
    from infra.platforms.docker.host import NoDaemonError, look  # noqa: PLC0415

    need = topologies.sized(settings)
    there = settings.store_host
    store_host = None
    try:
        host = look(stack, str(settings.access.address), settings.published_ports)
        if there is not None:
            store_host = look(stack, str(there.listen), settings.far_ports, Endpoint.of(there))
    except NoDaemonError as error:
        raise Refused(str(error)) from None
    certificate = feasibility.certificate_problems(settings, datetime.now(UTC))
    if found := [*feasibility.problems(settings, need, host, store_host), *certificate]:
        raise SettingsError(stack, placed(found, origins(stack)))
    if found := [*standing.problems(stack, settings, standing.read(), host, store_host)]:
        raise SettingsError(stack, placed(found, origins(stack)))
    for advice in (*warnings(settings), *feasibility.warnings(settings, need, host, store_host)):
        pulumi.log.warn(advice)
    if pulumi.runtime.is_dry_run():
        pulumi.log.info(
            report.stack_table(
                need, memory_limit_bytes=settings.limits.memory_bytes, disk_bytes=settings.limits.disk_bytes
            )
        )
    far_limit = store_host.open_files_hard_limit if store_host else None
    plan = topologies.plan(stack, settings, need, host.open_files_hard_limit, far_limit)
    made = DockerStack(
        plan,
        images.specs(settings),
        images.BuildHost.from_environment(),
        settings.registry,
        given_certificate=settings.tls.given,
        store_host=there,
    )
    newest = {token.name: made.secrets.values[token.words[-1]] for token in plan.tokens}
    admin = next(name for name, token in settings.tokens.items() if token.role is Role.ADMIN and not token.reach)
    pulumi.export("url", made.url)
    pulumi.export("plain_url", made.plain_url)
    pulumi.export("token", newest[admin])
    pulumi.export("tokens", newest)
    pulumi.export("rights", {name: token.model_dump(mode="json") for name, token in settings.tokens.items()})
    pulumi.export("authority", made.secrets.authority)
    pulumi.export("certificate_ends", made.secrets.ends)
    pulumi.export("container", made.container)
    pulumi.export("volume", made.volume)
    pulumi.export("image", made.image)
    if settings.backup.target is not TargetKind.NONE:
        pulumi.export("backup", _recovery(settings, made.secrets.values))
    if there is not None:
        # What finds its containers; secret where it is one.
        endpoint = Endpoint.of(there)
        pulumi.export("store_host", {"docker": endpoint.docker, "ssh_options": [*endpoint.ssh_options]})
        pulumi.export("store_host_tls", pulumi.Output.secret(dict(endpoint.tls)))
    pulumi.export("memory_limit_bytes", plan.store_group.server.resources.memory_limit_bytes)


def _recovery(settings: Settings, secrets: Mapping[str, pulumi.Output[str]]) -> pulumi.Output[dict[str, Any]]:
    """What the recovery sheet says: the target as it was set, and the key. A secret as a whole."""
    backup = settings.backup
    given = backup.encryption_key
    key = given.get_secret_value() if given else secrets[KEY.key]
    told = {name: getattr(backup, name) for name in Target.model_fields}
    shown = {name: bool(value) if isinstance(value, SecretStr) else value for name, value in told.items()}
    named = {"target": backup.target.value, "package": version("cortex-stack"), "key": key}
    return pulumi.Output.secret({**shown, **named})
