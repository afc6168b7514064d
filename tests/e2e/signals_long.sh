#!/bin/sh
# signals_long.sh - 1,000 dumps in a row instead of 100.

DUMPS=1000 exec "${0%/*}/signals.sh"
