"""The Docker platform: a plan as containers, volumes and networks of one Docker host."""

from infra.platforms.docker.stack import DockerStack

__all__ = ["DockerStack"]
