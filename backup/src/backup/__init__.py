"""Backups of a Chroma store: the archive of its log, and bases, both encrypted before they leave the machine."""
