"""The Pulumi program of the package: settings, sizing, plan, topologies, platforms."""
