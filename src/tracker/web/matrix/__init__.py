"""What runs where: services by environments, at any moment."""
