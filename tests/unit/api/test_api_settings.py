from __future__ import annotations

import pytest
from cortex_api.cpus import available_cpus
from cortex_api.settings import SettingsError, load_settings


def test_environment_is_read(monkeypatch):
    monkeypatch.setenv("CORTEX_PORT", "9000")
    monkeypatch.setenv("CORTEX_MODEL", "all-mpnet-base-v2")
    monkeypatch.setenv("CORTEX_DIMENSIONS", "768")
    monkeypatch.setenv("CORTEX_SIZING", '{"vectors": 1000, "nested": {"a": [1]}}')
    settings = load_settings()
    assert (settings.port, settings.dimensions, settings.embeds_locally) == (9000, 768, False)
    assert settings.sizing == {"vectors": 1000, "nested": {"a": [1]}}


def test_defaults_are_the_containers(monkeypatch):
    settings = load_settings()
    assert (str(settings.store_path), settings.host, settings.port) == ("/data", "0.0.0.0", 8080)
    assert settings.embeds_locally


def test_everything_wrong_is_said_at_once(monkeypatch):
    wrong = {"PORT": "no", "MAX_K": "0", "LOG_LEVEL": "loud", "SIZING": "[1]", "STOP_GRACE_S": "-1"}
    for name, value in (wrong | {"STOP_LINGER_S": "60.5"}).items():
        monkeypatch.setenv(f"CORTEX_{name}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    lines = str(caught.value).splitlines()
    assert len(lines) == 6
    for name in (
        "CORTEX_PORT=no",
        "CORTEX_MAX_K=0",
        "CORTEX_LOG_LEVEL=loud",
        "CORTEX_SIZING",
        "CORTEX_STOP_GRACE_S=-1",
        "CORTEX_STOP_LINGER_S=60.5",
    ):
        assert any(line.startswith(name) for line in lines), name


def test_dimensions_must_fit_the_local_model(monkeypatch):
    monkeypatch.setenv("CORTEX_DIMENSIONS", "768")
    with pytest.raises(SettingsError, match="makes 384"):
        load_settings()


@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 1),
    ],
)
def test_cpu_limit_of_the_container_counts(tmp_path, monkeypatch, files, cpus):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert available_cpus(tmp_path) == cpus


@pytest.mark.parametrize("files", [{}, {"cpu.max": "max 100000"}, {"cpu.max": "garbage"}])
def test_without_a_limit_all_cpus_count(tmp_path, monkeypatch, files):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert available_cpus(tmp_path) == 8
