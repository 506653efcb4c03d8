"""Properties are judged by what they find: a slow machine must not fail one."""

from hypothesis import settings

settings.register_profile("without_deadline", deadline=None)
settings.load_profile("without_deadline")
