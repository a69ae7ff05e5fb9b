"""The pages that people look at, rendered on the server from the answers of the RPCs."""
