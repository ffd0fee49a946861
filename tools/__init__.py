"""Everything between a fresh machine and a `pulumi up` that works."""
