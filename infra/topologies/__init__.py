"""Topologies: settings and sizing in, a plan out. Each is written once, for every platform."""
