from __future__ import annotations

import pytest

from appliance.foundation.network import bare_name, is_at_home


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("Den.LOCAL.:8020", "den.local"),
        ("192.168.1.20:8020", "192.168.1.20"),
        ("192.168.1.20", "192.168.1.20"),
        ("[fe80::1]:8020", "fe80::1"),
        ("[::1]", "::1"),
        ("2001:db8::8020", "2001:db8::8020"),
        ("den", "den"),
    ],
)
def test_a_name_is_compared_without_port_brackets_and_final_dot(place, name):
    assert bare_name(place) == name


@pytest.mark.parametrize("place", ["den", "den.fritz.box:80", "10.0.0.3:8020", "[fd00::3]:8020", "fe80::1"])
def test_who_can_only_be_in_the_house_is_at_home(place):
    assert is_at_home(place)


@pytest.mark.parametrize(
    "place", ["example.com", "den.local.example.com:80", "8.8.8.8", "2600::8020", "[2600::1]:80"]
)
def test_who_may_be_anywhere_is_not(place):
    assert not is_at_home(place)
