"""The probe's settings: defaults, values, and every mistake named at once."""

import pytest
from healthcheck.thresholds import BadThresholds, from_environment, split_url


def test_defaults() -> None:
    found = from_environment({})
    assert (found.memory_percent, found.disk_percent) == (85, 80)
    assert (found.host, found.port, found.target) == ("127.0.0.1", 8080, "/healthz")
    assert (found.store_path, found.store_bytes) == ("/data", None)
    assert (found.timeout_s, found.canary_max_age_s) == (5, 180)


def test_values() -> None:
    found = from_environment(
        {
            "HEALTH_MEMORY_PERCENT": "70.5",
            "HEALTH_DISK_PERCENT": "60",
            "HEALTH_STORE_PATH": "/elsewhere",
            "HEALTH_STORE_BYTES": "10737418240",
            "HEALTH_URL": "http://[::1]:9000/health?x=1",
            "HEALTH_TIMEOUT_S": "0.5",
            "HEALTH_CANARY_MAX_AGE_S": "30",
        }
    )
    assert (found.memory_percent, found.disk_percent) == (70.5, 60)
    assert (found.host, found.port, found.target) == ("::1", 9000, "/health?x=1")
    assert (found.store_path, found.store_bytes) == ("/elsewhere", 10737418240)
    assert (found.timeout_s, found.canary_max_age_s) == (0.5, 30)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HEALTH_MEMORY_PERCENT", "0"),
        ("HEALTH_MEMORY_PERCENT", "101"),
        ("HEALTH_MEMORY_PERCENT", ""),
        ("HEALTH_DISK_PERCENT", "eighty"),
        ("HEALTH_DISK_PERCENT", "nan"),
        ("HEALTH_STORE_BYTES", "0"),
        ("HEALTH_STORE_BYTES", "10GiB"),
        ("HEALTH_STORE_PATH", "data"),
        ("HEALTH_STORE_PATH", ""),
        ("HEALTH_TIMEOUT_S", "-1"),
        ("HEALTH_CANARY_MAX_AGE_S", "inf"),
        ("HEALTH_URL", "https://127.0.0.1/"),
        ("HEALTH_URL", "http://chroma:8080/healthz"),
        ("HEALTH_URL", "http://127.0.0.1:99999/"),
        ("HEALTH_URL", "http://127.0.0.1:x/"),
        ("HEALTH_URL", "http://127.0.0.256/"),
        ("HEALTH_URL", "http://[::1/"),
        ("HEALTH_URL", "http://[::1]9000/"),
        ("HEALTH_URL", "http://127.0.0.1:/"),
        ("HEALTH_URL", "http://127.0.0.1/a b"),
        ("HEALTH_URL", "http://127.0.0.1/\r\nX: y"),
    ],
)
def test_a_bad_value_is_named_with_one_that_would_do(name: str, value: str) -> None:
    with pytest.raises(BadThresholds) as caught:
        from_environment({name: value})
    (problem,) = caught.value.problems
    assert problem.startswith(f"{name}={value!r} ")
    assert "for example " in problem


def test_all_bad_values_at_once() -> None:
    with pytest.raises(BadThresholds) as caught:
        from_environment({"HEALTH_MEMORY_PERCENT": "x", "HEALTH_DISK_PERCENT": "x", "HEALTH_URL": "x"})
    assert len(caught.value.problems) == 3


def test_url_parts() -> None:
    assert split_url("http://localhost:81/x") == ("127.0.0.1", 81, "/x")
    assert split_url("http://10.0.0.1") == ("10.0.0.1", 80, "/")
