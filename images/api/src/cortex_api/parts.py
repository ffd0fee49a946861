"""The real parts of the process: the local model and the embedded store."""

from __future__ import annotations

from cortex_api.cpus import available_cpus
from cortex_api.model import Embedder
from cortex_api.runtime import Runtime
from cortex_api.settings import Settings
from cortex_api.storage import Storage


def runtime_for(settings: Settings) -> Runtime:
    """A runtime over CORTEX_STORE_PATH and CORTEX_MODEL_PATH; nothing is opened yet."""

    def open_storage() -> Storage:
        from cortex_api.store_opening import open_store  # noqa: PLC0415 -- slow: in the opening thread

        return open_store(settings)

    def load_embedder() -> Embedder | None:
        if not settings.embeds_locally:
            return None
        from cortex_api.embedder import OnnxEmbedder  # noqa: PLC0415 -- as above

        return OnnxEmbedder(settings.model_path, available_cpus())

    return Runtime(settings, open_storage, load_embedder)
