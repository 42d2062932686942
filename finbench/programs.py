"""Moved to `finbench.finqa.programs`; this name serves task folders of others for one version more."""

from finbench.finqa.programs import *  # noqa: F403
