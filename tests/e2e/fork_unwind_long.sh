#!/bin/sh
# fork_unwind_long.sh - 20,000 forks instead of 1,000.

FORKS=20000 exec "${0%/*}/fork_unwind.sh"
