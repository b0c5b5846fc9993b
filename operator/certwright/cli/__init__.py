"""The command line: reads arguments, prints what the layers below say. Decides nothing about certificates."""
