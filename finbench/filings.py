"""Moved to `finbench.finqa.page`; this name serves task folders of others for one version more."""

from finbench.finqa.page import *  # noqa: F403
