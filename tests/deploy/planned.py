"""What a stack's settings plan, beside the containers that run it."""

from __future__ import annotations

from infra import names, topologies
from infra.plan import Container, Plan
from infra.platforms.docker.host import look
from infra.settings import Settings, load_settings
from infra.topologies.backup import BACKUP, DRILL
from tests.deploy.deployment import Deployment


def plan_of(deployment: Deployment) -> Plan:
    """The plan of the stack as it is set now, with the descriptors that the Docker daemon grants."""
    settings = settings_of(deployment)
    open_files = look(deployment.name, "127.0.0.1", {}).open_files_hard_limit
    return topologies.plan(deployment.name, settings, topologies.sized(settings), open_files)


def settings_of(deployment: Deployment) -> Settings:
    """The stack's settings as they are now."""
    return load_settings(deployment.settings, deployment.name)


def placed(deployment: Deployment) -> dict[str, Container]:
    """Every container of the stack by its name on the host, with the container of the plan that it is.

    Raises:
        AssertionError: There are others than are planned, or fewer.
    """
    plan = plan_of(deployment)
    counts = {container.name: 1 for container in plan.containers}
    if plan.api is not None:
        counts[plan.api.container.name] = plan.api.replicas
    there: dict[str, Container] = {}
    for container in plan.containers:
        own = names.on_host(deployment.name, container.name)
        found = [name for name in deployment.parts() if name == own or name.startswith(f"{own}-")]
        assert len(found) == counts[container.name], (container.name, found)
        there |= dict.fromkeys(found, container)
    assert sorted(there) == deployment.parts()
    return there


def backup_mounts(deployment: Deployment) -> dict[str, dict[str, tuple[str, bool]]]:
    """What archiver and drill mount where, and whether they may write it."""
    own = f"cortex-{deployment.name}"
    return {
        BACKUP: {
            "/data": (deployment.volume, True),
            "/backup": (f"{own}-backups", True),
            "/staging": (f"{own}-staging", True),
            "/scratch": (f"{own}-scratch", True),
            "/reports": (f"{own}-drill-reports", False),
            "/run/cortex/secrets": (f"{own}-backup-secrets", False),
        },
        DRILL: {
            "/backup": (f"{own}-backups", False),
            "/scratch": (f"{own}-drill-scratch", True),
            "/reports": (f"{own}-drill-reports", True),
            "/run/cortex/secrets": (f"{own}-drill-secrets", False),
        },
    }
