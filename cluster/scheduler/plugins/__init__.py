"""The scheduler's plugins: one file each. profile.py says which are on. Start with node_resources_fit.py."""
