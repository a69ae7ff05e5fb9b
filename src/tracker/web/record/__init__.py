"""The forms that record events and change them."""
