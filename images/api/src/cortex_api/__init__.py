"""The Cortex API: documents in, search out, with Chroma embedded."""
