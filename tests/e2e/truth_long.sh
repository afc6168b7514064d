#!/bin/sh
# truth_long.sh - the ensemble of 10,000 runs instead of 1,000.

TRUTH_ROUNDS=10000 exec "${0%/*}/truth.sh"
