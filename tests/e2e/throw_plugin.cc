/*
 * throw_plugin.cc - what a C program loads that has never heard of C++: throws
 * through ten frames, with and without a destructor to run on the way.
 */
#include <stdexcept>

namespace {

struct Guard {
	int *count;

	~Guard() { ++*count; }
};

__attribute__((noinline)) void
throw_deep(int depth, int *count)
{
	Guard guard = { count };

	if (depth == 0)
		throw std::runtime_error("thrown");
	throw_deep(depth - 1, count);
	__asm__ volatile("" : : "r"(&guard) : "memory");
}

} /* namespace */

/* Returns the number of destructors that ran. */
extern "C" int
throw_times(int times)
{
	int count = 0;

	for (int i = 0; i < times; i++) {
		try {
			throw_deep(10, &count);
		} catch (const std::exception &) {
		}
	}
	return count;
}
