"""The guard's settings: defaults, values, and every mistake named at once with a value that would do."""

import dataclasses

import pytest
from healthcheck.limits import MemoryModel, ServerKind
from healthcheck.settings import BadSettings, GuardSettings, OnMemoryShort, load_settings


def test_defaults() -> None:
    found = load_settings({})
    assert found == GuardSettings()
    assert found.address == ("0.0.0.0", 8081)
    assert found.has_store


def test_each_field_is_read() -> None:
    given = {
        "HEALTH_SERVER": "chroma",
        "HEALTH_URL": "http://127.0.0.1:9000/x",
        "HEALTH_STORE_PATH": "/elsewhere",
        "HEALTH_STORE_BYTES": "10737418240",
        "HEALTH_TIMEOUT_S": "0.5",
        "HEALTH_MEMORY_PERCENT": "70.5",
        "HEALTH_MEMORY_RECYCLE_PERCENT": "90",
        "HEALTH_DISK_PERCENT": "60",
        "HEALTH_DISK_STOP_PERCENT": "85",
        "HEALTH_HYSTERESIS_POINTS": "2",
        "HEALTH_CANARY_INTERVAL_S": "10",
        "HEALTH_CANARY_MAX_AGE_S": "30",
        "HEALTH_WEDGED_AFTER_S": "20",
        "HEALTH_MAX_COLLECTIONS": "7",
        "HEALTH_MEMORY_MODEL": '{"base_bytes":1,"vector_overhead_bytes":2,"collection_bytes":3,"work_bytes":4}',
        "HEALTH_MAINTENANCE": "daily 01:30 45m",
        "HEALTH_MAINTENANCE_LIMIT_S": "100",
        "HEALTH_COMPACT_SHARE": "0.4",
        "HEALTH_RENEW_SHARE": "0.6",
        "HEALTH_SCRUB_INTERVAL_S": "0",
        "HEALTH_SCHEMA_COMMAND": "python3 -m 'make tables'",
        "HEALTH_LISTEN": "[::1]:99",
        "HEALTH_STATE_PATH": "/run/state",
        "HEALTH_TICK_S": "0.2",
        "HEALTH_OPEN_FILES": "1000",
        "HEALTH_ON_MEMORY_SHORT": "degraded",
        "HEALTH_START_LIMIT_S": "50",
        "HEALTH_STOP_GRACE_S": "5",
        "HEALTH_CRASHES": "3",
        "HEALTH_CRASH_WINDOW_S": "60",
        "HEALTH_SCRUB_BYTES_PER_S": "1000000",
        "HEALTH_BACKUPS": "true",
        "HEALTH_CERTIFICATE": "/run/x/certificate.pem",
        "HEALTH_RELOAD_WATCH": "/run/files",
        "HEALTH_RELOAD_CHECK": "server --check '/run/files/its file'",
    }
    found = load_settings(given)
    default = GuardSettings()
    changed = {
        field.name
        for field in dataclasses.fields(GuardSettings)
        if getattr(found, field.name) != getattr(default, field.name)
    }
    assert changed == {name.removeprefix("HEALTH_").lower() for name in given}
    assert changed == {field.name for field in dataclasses.fields(GuardSettings)}, "a field that no variable sets"
    assert found.server is ServerKind.CHROMA
    assert found.memory_model == MemoryModel(1, 2, 3, 4)
    assert found.schema_command == ("python3", "-m", "make tables")
    assert found.address == ("::1", 99)
    assert found.on_memory_short is OnMemoryShort.DEGRADED


def test_the_url_follows_the_server() -> None:
    assert load_settings({"HEALTH_SERVER": "chroma"}).url == "http://127.0.0.1:8000/api/v2/heartbeat"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SERVER", "nginx"),
        ("URL", "https://127.0.0.1/"),
        ("URL", "http://chroma:8080/healthz"),
        ("STORE_PATH", "data"),
        ("STORE_BYTES", "0"),
        ("STORE_BYTES", "10GiB"),
        ("MEMORY_PERCENT", "0"),
        ("MEMORY_PERCENT", "nan"),
        ("DISK_PERCENT", "eighty"),
        ("DISK_STOP_PERCENT", "2"),
        ("MAX_COLLECTIONS", "1.5"),
        ("MEMORY_MODEL", "lots"),
        ("MEMORY_MODEL", "[]"),
        ("MEMORY_MODEL", '{"base_bytes":1}'),
        ("MEMORY_MODEL", '{"base_bytes":-1,"vector_overhead_bytes":2,"collection_bytes":3,"work_bytes":4}'),
        ("MAINTENANCE", "someday"),
        ("SCRUB_INTERVAL_S", "-1"),
        ("SCHEMA_COMMAND", "python3 'open"),
        ("LISTEN", "8081"),
        ("LISTEN", "0.0.0.0:0"),
        ("STATE_PATH", "health.json"),
        ("TICK_S", "0"),
        ("OPEN_FILES", "-1"),
        ("ON_MEMORY_SHORT", "panic"),
        ("CRASHES", "0"),
    ],
)
def test_a_bad_value_is_named_with_one_that_would_do(name: str, value: str) -> None:
    with pytest.raises(BadSettings) as caught:
        load_settings({f"HEALTH_{name}": value})
    (problem,) = caught.value.problems
    assert problem.startswith(f"HEALTH_{name}={value!r} ")
    example = problem.partition(", for example ")[2]
    assert example
    assert load_settings({f"HEALTH_{name}": example.strip("'")})


def test_all_bad_values_at_once() -> None:
    with pytest.raises(BadSettings) as caught:
        load_settings({"HEALTH_MEMORY_PERCENT": "x", "HEALTH_LISTEN": "x", "HEALTH_SERVER": "x"})
    assert len(caught.value.problems) == 3
