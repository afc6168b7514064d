#!/bin/sh
# pool_soak_long.sh - pool_soak with 10,000 rotations.

POOL_SOAK_ROTATIONS=10000
export POOL_SOAK_ROTATIONS
. "${0%/*}/pool_soak.sh"
