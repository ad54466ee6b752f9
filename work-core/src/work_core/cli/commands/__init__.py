"""The sub-commands, one module each, named as they are typed."""
