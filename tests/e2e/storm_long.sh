#!/bin/sh
# storm_long.sh - a storm of 90 seconds instead of 4.

STORM_SECONDS=90 exec "${0%/*}/storm.sh"
