"""Asking other servers: steps that say what to ask for, and what carries them out."""
