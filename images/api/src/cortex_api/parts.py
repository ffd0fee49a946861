"""The real parts of the process: the local model, and the store, embedded or remote."""

from __future__ import annotations

from cortex_api.cpus import available_cpus
from cortex_api.model import Embedder
from cortex_api.runtime import Runtime
from cortex_api.settings import Settings
from cortex_api.storage import Storage
from cortex_api.watched_file import WatchedFile


def runtime_for(settings: Settings) -> Runtime:
    """A runtime over the store and the model that the settings name; nothing is opened yet.

    Raises:
        FileUnusable: the credential for a remote store cannot be read.
    """
    # Read here, so that a missing file ends the process at once.
    token = remote_token(settings) if settings.is_remote else None

    def open_storage() -> Storage:
        if token is not None:
            from cortex_api.remote_opening import open_remote  # noqa: PLC0415 -- slow: in the opening thread

            return open_remote(settings, token, runtime)
        from cortex_api.store_opening import open_store  # noqa: PLC0415 -- as above

        return open_store(settings)

    def load_embedder() -> Embedder | None:
        if not settings.embeds_locally:
            return None
        from cortex_api.embedder import OnnxEmbedder  # noqa: PLC0415 -- as above

        return OnnxEmbedder(settings.model_path, available_cpus())

    runtime = Runtime(settings, open_storage, load_embedder)
    return runtime


def remote_token(settings: Settings) -> WatchedFile[str]:
    """The credential for the remote store."""
    return WatchedFile("CORTEX_CHROMA_TOKEN_FILE", settings.chroma_token_file, _one_word)


def _one_word(text: str) -> str:
    words = text.split()
    if len(words) != 1 or not words[0].isprintable():
        raise ValueError("must hold one token and nothing else")
    return words[0]
