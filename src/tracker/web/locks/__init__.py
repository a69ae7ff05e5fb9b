"""The pages of locks: which are held and who waits, one of them with its release, and what was."""
