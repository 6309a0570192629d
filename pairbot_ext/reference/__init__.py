"""What is generated from the code for people and editors: the configuration reference, the published JSON
Schemas, the picture of the state machine.

`make docs` (`python -m pairbot_ext.reference`) writes the files; `--check` says which are out of date.
"""
