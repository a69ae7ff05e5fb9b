"""What runs where, by the deployments that were recorded, and how versions compare."""
