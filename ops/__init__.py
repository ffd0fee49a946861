"""The `cortex` command: bringing a stack up, looking at it, taking it down."""
