"""Every error of the house has a name of its own, a title, a status and a sentence."""

from __future__ import annotations

import re

import pytest

from appliance.foundation import errors
from appliance.foundation.errors import HearthbeatError


def tree(root: type[HearthbeatError]) -> list[type[HearthbeatError]]:
    """Return the class and all of its subclasses that the errors module declares."""
    own = [kind for kind in root.__subclasses__() if kind.__module__ == errors.__name__]
    return [root, *(kind for child in own for kind in tree(child))]


KINDS = tree(HearthbeatError)
STATUS = {
    errors.MalformedUpload: 400,
    errors.BadQuery: 400,
    errors.NotFound: 404,
    errors.MethodNotAllowed: 405,
    errors.Conflict: 409,
    errors.UploadTooLarge: 413,
    errors.UnsupportedFormat: 415,
    errors.KeyMissing: 401,
    errors.KeyInvalid: 401,
    errors.ScopeDenied: 403,
    errors.HostRejected: 403,
    errors.RateLimited: 429,
    errors.DatabaseUnavailable: 503,
    errors.StatementTimedOut: 503,
    errors.StorageFull: 507,
}


def test_codes_are_unique_and_stable_words():
    codes = [kind.code for kind in KINDS]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch("[a-z]+(_[a-z]+)*", code) for code in codes)


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_a_title_and_says_its_sentence(kind):
    assert kind.title
    assert str(kind("The disk is on fire.")) == kind("The disk is on fire.").detail == "The disk is on fire."


@pytest.mark.parametrize(("kind", "status"), STATUS.items())
def test_every_error_answers_with_the_promised_status(kind, status):
    assert kind.status == status


def test_whoever_asked_wrongly_gets_400_and_what_we_did_wrong_is_500():
    for kind in tree(errors.RequestError) + tree(errors.AccessError):
        assert 400 <= kind.status < 500
    for kind in (*tree(errors.HostError), errors.SettingsError, HearthbeatError):
        assert kind.status == 500


@pytest.mark.parametrize("kind", [errors.DatabaseUnavailable, errors.StatementTimedOut, errors.StorageFull])
def test_a_part_that_is_away_says_when_to_come_back(kind):
    assert kind().retry_after_s > 0
    assert kind().detail.endswith(".")


def test_the_tree_in_the_documentation_is_the_tree_of_the_code():
    drawn = dict(re.findall(r"[├└]── (\w+)(?: +(\d{3}))?", errors.__doc__))
    assert set(drawn) == {kind.__name__ for kind in KINDS} - {"HearthbeatError"}
    for name, status in drawn.items():
        if status:
            assert getattr(errors, name).status == int(status), name
