"""Answers come back byte for byte, for the same person, generation and question only."""

from __future__ import annotations

import os

import pytest

from appliance.cache.answers import MAX_ANSWER_BYTES, TTL_S, AnswerCache


@pytest.fixture
def looks():
    return []


@pytest.fixture
def answers(cache, looks):
    return AnswerCache(cache, on_look=looks.append)


def test_an_answer_comes_back_byte_for_byte(answers, looks):
    answer = bytes(range(256)) + os.urandom(10_000)
    assert answers.get(1, 5, "/today?date=2025-01-01") is None
    answers.put(1, 5, "/today?date=2025-01-01", answer)
    assert answers.get(1, 5, "/today?date=2025-01-01") == answer
    assert looks == [False, True]


def test_an_empty_answer_is_an_answer(answers, looks):
    answers.put(1, 5, "q", b"")
    assert answers.get(1, 5, "q") == b""
    assert looks == [True]


@pytest.mark.parametrize(
    ("person", "generation", "question"), [(2, 5, "q"), (1, 6, "q"), (1, 4, "q"), (1, 5, "Q")]
)
def test_another_person_generation_or_question_is_another_answer(answers, person, generation, question):
    answers.put(1, 5, "q", b"a")
    assert answers.get(person, generation, question) is None


def test_numbers_do_not_run_together(answers):
    answers.put(1, 23, "q", b"a")
    assert answers.get(12, 3, "q") is None


def test_instances_share_answers(answers, server, open_cache):
    answers.put(1, 5, "q", b"a")
    assert AnswerCache(open_cache(server.url)).get(1, 5, "q") == b"a"


def test_it_lives_for_an_hour_under_our_prefix(answers, raw):
    answers.put(1, 5, "q", b"a")
    (name,) = raw.keys()
    assert name.startswith(b"hb:")
    assert TTL_S - 2 <= raw.ttl(name) <= TTL_S == 3600


def test_a_large_answer_is_not_kept(answers, raw):
    answers.put(1, 5, "q", b"x" * (MAX_ANSWER_BYTES + 1))
    assert raw.keys() == []
    answers.put(1, 5, "q", b"x" * MAX_ANSWER_BYTES)
    assert answers.get(1, 5, "q") == b"x" * MAX_ANSWER_BYTES


def test_a_question_may_be_long_and_hold_any_character(answers, raw):
    for question in ("x" * 100_000, "\ud800", "\udcff", "a\nb c\x00", "“müde”"):
        answers.put(1, 5, question, question.encode(errors="surrogatepass"))
        assert answers.get(1, 5, question) == question.encode(errors="surrogatepass")
    assert max(map(len, raw.keys())) < 120


def test_without_a_server_every_look_misses(answers, looks, server):
    answers.put(1, 5, "q", b"a")
    server.kill()
    assert answers.get(1, 5, "q") is None
    answers.put(1, 5, "q", b"a")
    assert looks == [False]


def test_a_full_server_is_a_miss(server, open_cache):
    server.kill()
    server.start("--maxmemory", "1mb", "--maxmemory-policy", "noeviction")
    cache = open_cache(server.url)
    answers = AnswerCache(cache)
    for number in range(5):
        answers.put(1, 5, str(number), b"x" * MAX_ANSWER_BYTES)
    assert cache.degraded == "valkey_refuses"
    assert answers.get(1, 5, "4") is None


def test_every_answer_about_a_person_is_removed_and_no_others(cache):
    answers = AnswerCache(cache)
    for person_id in (1, 11):
        for question in ("today", "steps"):
            answers.put(person_id, 7, question, b"told")
    answers.forget(1)
    assert [answers.get(1, 7, question) for question in ("today", "steps")] == [None, None]
    assert [answers.get(11, 7, question) for question in ("today", "steps")] == [b"told", b"told"]
