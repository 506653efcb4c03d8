"""A pytest plug-in: where `CI` is set, a skipped test is a failed test.

`run.py` loads it. On a developer's machine a skip stays a skip; in CI it would hide what was not tested.
"""

import os

import pytest

IN_CI = os.environ.get("CI", "").lower() not in {"", "0", "false"}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    """Look at each finished test after every other plug-in has had its say."""
    return fail_if_skipped((yield))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(collector):
    """Look at each collected module: one that skips itself has no tests left to report on."""
    return fail_if_skipped((yield))


def fail_if_skipped(report):
    """Turn a skip into a failure. An expected failure did run, and is left alone."""
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"Skipped, which CI does not accept: {report.longrepr}"
    return report
