"""The address of the page that says whether something may be deployed."""

from __future__ import annotations

from typing import Final

from tracker.web.visit import address

CHECK: Final = "/deploy-check"


def check_address(service: str, environment: str = "", version: str = "", event: str = "") -> str:
    """Return the address that asks for a deployment; without an environment, its form."""
    asked = {"service": service, "environment": environment, "version": version, "event": event}
    return address(CHECK, {name: value for name, value in asked.items() if value})
