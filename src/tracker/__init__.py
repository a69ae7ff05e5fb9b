"""Records what happens to your systems: deployments, operations, drifts, incidents, a catalog and locks."""

__version__ = "0.1.0"
