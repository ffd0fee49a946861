"""Drills: a restore beside the stack, with a real server on it, that is asked what it must know."""
