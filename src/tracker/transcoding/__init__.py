"""Messages as JSON, query strings and paths, and back, by what the protos say of them."""
