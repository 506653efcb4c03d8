from __future__ import annotations

import pytest

from appliance.foundation.errors import SettingsError
from appliance.foundation.settings import load_settings


def test_a_time_zone_is_a_name_that_the_rules_know(tmp_path):
    for name in ("", "Europe/Berlin", "UTC", "America/Argentina/Ushuaia"):
        settings = load_settings({"data_dir": str(tmp_path), "time_zone": name}, {})
        assert settings.time_zone == name


def test_any_other_time_zone_stops_the_start_by_name(tmp_path):
    for name in ("Mars/Phobos", "Europe", "/etc/passwd", "../UTC", "CEST+2", "a\0b"):
        with pytest.raises(SettingsError, match=r"time_zone.*HEARTHBEAT_TIME_ZONE.*Europe/Berlin"):
            load_settings({"data_dir": str(tmp_path)}, {"HEARTHBEAT_TIME_ZONE": name})
