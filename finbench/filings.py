"""Moved to `finbench.finqa.page` and `finbench.finqa.golds`; this name serves task folders of others for one version more."""

from finbench.finqa.golds import *  # noqa: F403
from finbench.finqa.page import *  # noqa: F403
