#!/bin/sh
# bad_input_long.sh - ten times the damaged profiles.

MUTANTS=1600 exec "${0%/*}/bad_input.sh"
