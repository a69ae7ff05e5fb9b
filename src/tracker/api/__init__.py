"""The wires, and the one path that every call takes between them and the services."""
