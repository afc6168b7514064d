#!/bin/sh
# fork_unwind_long.sh - 10,000 forks instead of 1,000.

FORKS=10000 exec "${0%/*}/fork_unwind.sh"
