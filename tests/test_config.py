"""The environment decides how supervise starts; what is missing or wrong stops it with a sentence."""

import stat
from pathlib import Path

import pytest

from supervise.cipher import make_key_file
from supervise.config import ConfigError, database_url, load_settings


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """What a production start sets."""
    make_key_file(tmp_path / "keys.json")
    (tmp_path / "secret").touch(0o600)
    (tmp_path / "secret").write_text("s" * 32)
    return {
        "SUPERVISE_INSTANCE": str(tmp_path / "instance"),
        "SUPERVISE_KEY_FILE": str(tmp_path / "keys.json"),
        "SECRET_KEY_FILE": str(tmp_path / "secret"),
        "DATABASE_URL": "postgresql://db/supervise",
    }


def test_production_starts_with_what_is_given(environ: dict[str, str]) -> None:
    settings = load_settings(environ)

    assert settings.database_url == "postgresql+psycopg://db/supervise"
    assert not settings.demo
    assert settings.secure_cookies


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("DATABASE_URL", "set DATABASE_URL"), ("SUPERVISE_KEY_FILE", "make-keys"), ("SECRET_KEY_FILE", "SECRET_KEY_FILE")],
)
def test_production_refuses_to_start_without(environ: dict[str, str], name: str, sentence: str) -> None:
    del environ[name]

    with pytest.raises(ConfigError, match=sentence):
        load_settings(environ)


def test_keys_that_others_can_read_are_refused(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "keys.json").chmod(0o640)

    with pytest.raises(ConfigError, match="chmod 600"):
        load_settings(environ)


def test_a_flag_is_0_or_1(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="SUPERVISE_DEMO must be 0 or 1"):
        load_settings({**environ, "SUPERVISE_DEMO": "yes"})


def test_other_databases_are_refused() -> None:
    with pytest.raises(ConfigError, match="must begin with"):
        database_url("mysql://db/supervise")


def test_the_demo_makes_its_own_database_and_keys_for_the_owner_alone(tmp_path: Path) -> None:
    settings = load_settings({"SUPERVISE_DEMO": "1", "SUPERVISE_INSTANCE": str(tmp_path)})

    assert settings.demo
    assert settings.database_url == f"sqlite:///{tmp_path}/demo/demo.sqlite3"
    for name in ("keys.json", "secret_key"):
        assert stat.S_IMODE((tmp_path / "demo" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "demo").stat().st_mode) == 0o700


def test_the_demo_keeps_its_keys(tmp_path: Path) -> None:
    environ = {"SUPERVISE_DEMO": "1", "SUPERVISE_INSTANCE": str(tmp_path)}

    assert load_settings(environ) == load_settings(environ)


@pytest.mark.parametrize(
    "name", ["DATABASE_URL", "SUPERVISE_KEY_FILE", "SECRET_KEY_FILE", "SUPERVISE_ANCHOR_FILE", "EVIDENCE_URI"]
)
def test_the_demo_refuses_what_belongs_to_another_database(environ: dict[str, str], name: str) -> None:
    demo = {"SUPERVISE_DEMO": "1", "SUPERVISE_INSTANCE": environ["SUPERVISE_INSTANCE"], name: "something"}

    with pytest.raises(ConfigError, match=f"{name} is set: unset it"):
        load_settings(demo)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("EVIDENCE_ENGINE", "pandas", "must be duckdb or spark"),
        ("EVIDENCE_URI", "s3a://records", "DuckDB reads a folder of this machine"),
        ("EVIDENCE_URI", "/nowhere/at/all", "EVIDENCE_URI: there is no folder"),
    ],
)
def test_a_record_store_that_cannot_be_read_stops_the_start(
    environ: dict[str, str], name: str, value: str, sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        load_settings({**environ, name: value})


def test_records_may_lie_in_a_folder_of_their_own(environ: dict[str, str], tmp_path: Path) -> None:
    settings = load_settings({**environ, "EVIDENCE_URI": str(tmp_path)})

    assert (settings.evidence_engine, settings.evidence_uri) == ("duckdb", str(tmp_path))


def test_a_secret_that_others_can_read_stops_the_start(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "secret").chmod(0o644)

    with pytest.raises(ConfigError, match="chmod 600"):
        load_settings(environ)


def test_the_names_of_the_server_are_a_list(environ: dict[str, str]) -> None:
    settings = load_settings({**environ, "SUPERVISE_HOSTS": "supervise.example.cn, 10.0.0.5,"})

    assert settings.hosts == ("supervise.example.cn", "10.0.0.5")
    assert load_settings(environ).hosts == ()


@pytest.mark.parametrize("hosts", ["https://supervise.example.cn", "supervise.example.cn:8443", "*", "a b"])
def test_a_name_with_scheme_port_or_star_is_refused(environ: dict[str, str], hosts: str) -> None:
    with pytest.raises(ConfigError, match="SUPERVISE_HOSTS lists names"):
        load_settings({**environ, "SUPERVISE_HOSTS": hosts})
