"""The in-image health module: measures memory, disk and the store, and judges them against thresholds.

What the probe imports starts a Python process every few seconds. `dataclasses`, `json`, `logging`, `pathlib`, `re`,
`socket`, `typing` and their like would double its cost, so the modules below do without (docs/health.md).
"""
