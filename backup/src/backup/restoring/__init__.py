"""From a target back to a store: choosing what, fetching it, putting it together, reading it back."""
