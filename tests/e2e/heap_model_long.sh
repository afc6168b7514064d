#!/bin/sh
# heap_model_long.sh - ten times the steps of heap_model_test, from three seeds.

. "${0%/*}/lib.sh"
MODEL_SCALE=${MODEL_SCALE:-10}
export MODEL_SCALE

for seed in 1 2 $$; do
	SEED=$seed check "seed $seed" \
		timeout 3600 "$BUILD/obj/tests/src/heap_model_test"
done
finish
