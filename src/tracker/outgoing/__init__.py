"""What a server sends to other systems."""
