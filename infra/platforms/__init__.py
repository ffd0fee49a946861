"""Platforms: each turns a plan into resources."""
