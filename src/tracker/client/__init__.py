"""The Python client of the API: typed calls over REST, with the generated messages."""
