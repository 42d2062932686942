"""Moved to `finbench.tasks.data_files`; this name serves task folders of others for one version more."""

from finbench.tasks.data_files import *  # noqa: F403
