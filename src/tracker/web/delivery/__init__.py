"""The page of delivery metrics."""
