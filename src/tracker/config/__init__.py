"""The settings of a server, the sources of their values, and how they are printed.

`load` takes flags over environment variables over a TOML file over the defaults declared in `Settings`.
"""

from __future__ import annotations

from tracker.config.load import (
    CONFIG_VARIABLE,
    Configuration,
    ConfigurationError,
    ineffective_variables,
    load,
)
from tracker.config.settings import SETTINGS, LogFormat, LogLevel, Setting, Settings

__all__ = [
    "CONFIG_VARIABLE",
    "SETTINGS",
    "Configuration",
    "ConfigurationError",
    "LogFormat",
    "LogLevel",
    "Setting",
    "Settings",
    "ineffective_variables",
    "load",
]
