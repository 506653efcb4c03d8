"""Settings come from four places, the strongest wins, and a wrong one is named together with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from appliance.foundation.errors import SettingsError
from appliance.foundation.settings import PREFIX, Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    return {"HEARTHBEAT_DATA_DIR": str(tmp_path), "PATH": "/bin", "OTHER": "1"}


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "settings.toml"


def refusal(environment, command_line=None) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(command_line, environment)
    return str(caught.value)


def test_the_defaults_are_the_promised_ones(environment, tmp_path):
    settings = load_settings({}, environment)
    assert (settings.host, settings.port) == ("0.0.0.0", 8710)
    assert (settings.max_upload_mb, settings.sync_upload_mb, settings.raw_retention_days) == (256, 16, 0)
    assert settings.database_url.get_secret_value() == settings.redis_url.get_secret_value() == ""
    assert settings.log_level == "info"
    assert settings.data_dir == tmp_path
    assert settings.max_upload_bytes == 256 * 2**20
    assert settings.sync_upload_bytes == 16 * 2**20


def test_each_place_is_stronger_than_the_one_before(environment, file):
    assert load_settings({}, environment).port == 8710
    file.write_text("port = 1001")
    assert load_settings({}, environment).port == 1001
    environment["HEARTHBEAT_PORT"] = "1002"
    assert load_settings({}, environment).port == 1002
    assert load_settings({"port": 1003}, environment).port == 1003


def test_places_are_merged_setting_by_setting(environment, file):
    file.write_text('host = "127.0.0.1"\nport = 1001\nlog_level = "debug"')
    environment["HEARTHBEAT_PORT"] = "1002"
    settings = load_settings({"log_level": "error"}, environment)
    assert (settings.host, settings.port, settings.log_level) == ("127.0.0.1", 1002, "error")


def test_the_data_folder_of_the_option_decides_which_file_is_read(environment, file, tmp_path):
    file.write_text("port = 1001")
    other = tmp_path / "other"
    other.mkdir()
    (other / "settings.toml").write_text("port = 2002")
    settings = load_settings({"data_dir": other}, environment)
    assert (settings.data_dir, settings.port) == (other, 2002)


def test_a_data_folder_may_begin_at_home_or_here(environment, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert load_settings({"data_dir": "~/health"}, {}).data_dir == tmp_path / "health"
    monkeypatch.chdir(tmp_path)
    assert load_settings({"data_dir": "health"}, {}).data_dir == tmp_path / "health"


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_data_folder_is_never_the_folder_we_happen_to_be_in(empty):
    assert "HEARTHBEAT_DATA_DIR" in refusal({"HEARTHBEAT_DATA_DIR": empty})


def test_the_home_of_a_stranger_is_no_data_folder():
    assert "data_dir" in refusal({"HEARTHBEAT_DATA_DIR": "~nobody-of-this-name/health"})


def test_the_data_folder_cannot_be_set_in_the_file_inside_it(environment, file):
    file.write_text('data_dir = "/elsewhere"')
    told = refusal(environment)
    assert "data_dir" in told
    assert str(file) in told


def test_a_secret_is_read_from_the_file_that_is_named(environment, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(" postgresql://anna:hush@db/health \n")
    environment["HEARTHBEAT_DATABASE_URL_FILE"] = str(secret)
    settings = load_settings({}, environment)
    assert settings.database_url.get_secret_value() == "postgresql://anna:hush@db/health"
    assert "hush" not in repr(settings)


def test_a_value_and_the_file_of_it_are_not_both_taken(environment, tmp_path):
    environment |= {
        "HEARTHBEAT_REDIS_URL": "redis://a",
        "HEARTHBEAT_REDIS_URL_FILE": str(tmp_path / "secret"),
    }
    told = refusal(environment)
    assert "HEARTHBEAT_REDIS_URL and HEARTHBEAT_REDIS_URL_FILE" in told


def test_a_secret_file_that_cannot_be_read_is_named(environment, tmp_path):
    environment["HEARTHBEAT_REDIS_URL_FILE"] = str(tmp_path / "missing")
    assert "HEARTHBEAT_REDIS_URL_FILE" in refusal(environment)
    (tmp_path / "missing").write_bytes(b"\xff\xfe")
    assert "HEARTHBEAT_REDIS_URL_FILE" in refusal(environment)


def test_an_unknown_setting_is_named_with_its_place_and_the_known_ones(environment, file, tmp_path):
    assert "“prot” (from the option --prot)" in refusal(environment, {"prot": 1})
    assert "“prot” (from the environment variable HEARTHBEAT_PROT)" in refusal(
        environment | {"HEARTHBEAT_PROT": "1"}
    )
    (tmp_path / "x").write_text("1")
    assert "HEARTHBEAT_PROT_FILE" in refusal(environment | {"HEARTHBEAT_PROT_FILE": str(tmp_path / "x")})
    file.write_text("prot = 1")
    told = refusal(environment)
    assert f"“prot” (from {file})" in told
    assert "port" in told


def test_a_table_in_the_file_is_no_setting(environment, file):
    file.write_text("[server]\nport = 1")
    assert "“server”" in refusal(environment)


@pytest.mark.parametrize("content", [b"port = ", b"\xff\xfe", b"port == 1"])
def test_a_file_that_is_not_toml_is_named(environment, file, content):
    file.write_bytes(content)
    assert str(file) in refusal(environment)


def test_a_file_that_cannot_be_read_is_named(environment, file):
    file.mkdir()
    assert str(file) in refusal(environment)


WRONG = {
    "port": ["http", "-1", "65536", "8710.5", ""],
    "host": [""],
    "max_upload_mb": ["0", "901", "many"],
    "sync_upload_mb": ["-1"],
    "raw_retention_days": ["-1", "for ever"],
    "limit_requests_per_hour": ["0"],
    "limit_failed_attempts": ["0"],
    "log_level": ["loud", ""],
    "threads": ["0", "1", "65"],
    "engine_user": [""],
    "time_zone": ["Mars/Olympus", "../etc/passwd", "/etc/localtime", "CEST+2"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_a_wrong_value_is_named_with_its_place(environment, name, value):
    told = refusal(environment | {PREFIX + name.upper(): value})
    assert f"“{name}” (from the environment variable {PREFIX}{name.upper()})" in told
    assert f"“{name}” (from the option --{name.replace('_', '-')})" in refusal(environment, {name: value})


@pytest.mark.parametrize("line", ["port = [1]", "host = 5", "port = {}", "log_level = 1", "database_url = 5"])
def test_a_wrong_type_in_the_file_is_named_with_the_file(environment, file, line):
    file.write_text(line)
    told = refusal(environment)
    assert f"“{line.partition(' ')[0]}” (from {file})" in told


def test_a_wrong_secret_is_not_repeated(environment, file):
    file.write_text('database_url = ["hush"]')
    assert "hush" not in refusal(environment)


@pytest.mark.parametrize("zone", ["", "Europe/Berlin", "UTC", "Asia/Kolkata"])
def test_a_time_zone_is_one_that_exists_or_left_to_the_computer(environment, zone):
    assert load_settings({"time_zone": zone}, environment).time_zone == zone


def test_settings_do_not_change_once_built(tmp_path):
    settings = Settings(data_dir=tmp_path)
    with pytest.raises(ValidationError):
        settings.port = 1


def test_every_setting_says_what_it_means():
    assert [name for name, setting in Settings.model_fields.items() if not setting.description] == []


def test_a_backup_folder_is_a_whole_path_or_none(environment, file):
    file.write_text('backup_dir = ""')
    assert load_settings({}, environment).backup_dir is None
    environment["HEARTHBEAT_BACKUP_DIR"] = "/media/usb"
    assert str(load_settings({}, environment).backup_dir) == "/media/usb"
    environment["HEARTHBEAT_BACKUP_DIR"] = "usb"
    assert "whole path" in refusal(environment)
