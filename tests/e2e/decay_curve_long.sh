#!/bin/sh
# decay_curve_long.sh - decay_curve.sh with the default decay and 1 GiB.

exec "${0%/*}/decay_curve.sh" 10000 1024 10
