#!/bin/sh
# robustness_long.sh - a hundred thousand threads and 1,000 forks.

THREADS=100000 FORKS=1000 exec "${0%/*}/robustness.sh"
