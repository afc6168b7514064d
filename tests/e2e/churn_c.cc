/*
 * churn_c.cc - a C++ plugin with a global object, exceptions and a
 * thread_local object that allocates again and frees when its thread ends.
 */
#include <cstring>
#include <map>
#include <new>
#include <stdexcept>
#include <string>

#include "churn.h"

namespace {

std::map<int, std::string> table;

struct Filler {
	Filler()
	{
		for (int i = 0; i < 20; i++)
			table[i] = std::string(50 + i, 'c');
	}
} filler;

struct ThreadNotes {
	std::string *text = new std::string(300, 't');

	~ThreadNotes()
	{
		delete text;
		delete[] new char[2000];
	}
};

thread_local ThreadNotes notes;

__attribute__((noinline)) void
throw_deep(int depth)
{
	std::string local(100 + depth, 'x');

	if (depth == 0)
		throw std::runtime_error(local);
	throw_deep(depth - 1);
	__asm__ volatile("" : : "r"(local.data()) : "memory");
}

void
work()
{
	notes.text->append(10, 'u');
	try {
		throw_deep(6);
	} catch (const std::exception &e) {
		if (std::strlen(e.what()) != 100)
			__builtin_trap();
	}
}

} /* namespace */

extern "C" __attribute__((noinline)) void *
churn_c_keep(void)
{
	/* Freed by free(): plain memory, as C++ plugins hand out. */
	void *p = ::operator new(7000, std::nothrow);

	/* Not a tail call, which would leave no frame of this function. */
	__asm__ volatile("" : : "r"(p) : "memory");
	return p;
}

extern "C" const struct churn_plugin *
churn_plugin(void)
{
	static const struct churn_plugin plugin = { "churn_c_keep", 7000,
	    churn_c_keep, work };

	return &plugin;
}
