"""One device is one source, however its name is typed, spaced and ordered; two devices stay two."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.priority import default_rank
from appliance.domain.sample import SOURCE_LENGTH, normalise_source, source_parts


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("Watch", "Watch"),
        ("Watch|iPhone", "Watch | iPhone"),
        ("iPhone | Watch", "Watch | iPhone"),
        (" iPhone|  Watch  ", "Watch | iPhone"),
        ("Watch|Watch", "Watch"),
        ("|Watch||", "Watch"),
        ("Watch\uff5ciPhone", "Watch | iPhone"),
        ("Anna\u2019s Apple\u00a0Watch", "Anna's Apple Watch"),
        ("Anna\u2018s Apple Watch", "Anna's Apple Watch"),
        ("Anna\u00b4s Apple Watch", "Anna's Apple Watch"),
        ("Anna`s Apple Watch", "Anna's Apple Watch"),
        ("Anna\uff07s Apple Watch", "Anna's Apple Watch"),
        ("Ａｐｐｌｅ　Ｗａｔｃｈ", "Apple Watch"),
        ("Apple\u202fWatch", "Apple Watch"),
        ("Apple\tWatch\r\n", "Apple Watch"),
        ("Wat\x00ch", "Watch"),
        ("Wat\u200bch\ufeff", "Watch"),
        ("\u200fWatch\u200e", "Watch"),
        ("Wat\ud800ch", "Watch"),
        ("Cafe\u0301", "Café"),
        ("⌚️ Ring", "⌚️ Ring"),
        ("", ""),
        (" | ", ""),
        ("\x00", ""),
    ],
)
def test_a_name_is_kept_in_its_one_spelling(sent, kept):
    assert normalise_source(sent) == kept


@given(
    parts=st.lists(st.text(), max_size=4),
    order=st.randoms(),
    pipe=st.sampled_from(["|", " | ", " |", "\u00a0|\u3000"]),
)
def test_order_and_spacing_of_joined_names_do_not_matter(parts, order, pipe):
    shuffled = list(parts)
    order.shuffle(shuffled)
    assert normalise_source(pipe.join(shuffled)) == normalise_source("|".join(parts))


@given(name=st.text(alphabet=st.characters(), max_size=400))
def test_every_name_can_be_stored_and_is_bounded(name):
    kept = normalise_source(name)
    kept.encode("utf-8")
    assert "\x00" not in kept
    assert len(kept) <= SOURCE_LENGTH
    assert kept == kept.strip()


def test_two_long_names_that_begin_alike_stay_two():
    one, other = "x" * 10_000 + "1", "x" * 10_000 + "2"
    assert normalise_source(one) == normalise_source(one)
    assert normalise_source(one) != normalise_source(other)
    assert len(normalise_source(one)) == SOURCE_LENGTH


def test_a_name_of_just_the_bound_is_kept_whole():
    assert normalise_source("x" * SOURCE_LENGTH) == "x" * SOURCE_LENGTH
    assert normalise_source("x" * (SOURCE_LENGTH + 1)) != "x" * (SOURCE_LENGTH + 1)


def test_parts_are_the_single_devices():
    assert source_parts(normalise_source("iPhone|Watch")) == ("Watch", "iPhone")
    assert source_parts("Watch") == ("Watch",)
    assert source_parts("") == ()


def test_a_watch_is_believed_before_a_phone_before_everything_else():
    names = ["RingConn", "Anna's iPhone", "Anna's Apple Watch", "Google Phone"]
    assert min(names, key=default_rank) == "Anna's Apple Watch"
    assert default_rank("Anna's iPhone") < default_rank("RingConn")
    assert default_rank("WATCH") == default_rank("watch")
    assert default_rank("Watch | iPhone") == default_rank("Watch")
    assert default_rank("") == default_rank("RingConn")
