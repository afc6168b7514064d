/*
 * compat_new.cc - operator new that fails: exceptions, the nothrow forms and
 * the program's new handler.
 */
#include <cstdint>
#include <new>

#include "compat.h"

static unsigned handler_calls;

/* Hides a size from the compiler's own checks. */
static size_t
opaque(size_t n)
{
	__asm__ volatile("" : "+r"(n));
	return n;
}

static void
handler(void)
{
	if (++handler_calls == 3)
		std::set_new_handler(nullptr);
}

/* What one way of asking for too much ends in. */
template <typename Ask> static void
say_outcome(const char *name, Ask ask)
{
	handler_calls = 0;
	try {
		void *p = ask();

		say(name, "%s after %u calls of the handler",
		    p == nullptr ? "NULL" : "block", handler_calls);
	} catch (const std::bad_alloc &) {
		say(name, "bad_alloc after %u calls of the handler",
		    handler_calls);
	}
}

static void
say_all(const char *when)
{
	const size_t n = opaque(PTRDIFF_MAX);
	const auto a = std::align_val_t(4096);
	char name[100];

#define OUTCOME(what, call) do {					\
	std::set_new_handler(handler_calls_wanted);			\
	snprintf(name, sizeof name, "%s %s", what, when);		\
	say_outcome(name, [&] { return call; });			\
} while (0)
	std::new_handler handler_calls_wanted = std::get_new_handler();

	OUTCOME("new", ::operator new(n));
	OUTCOME("new[]", ::operator new[](n));
	OUTCOME("new nothrow", ::operator new(n, std::nothrow));
	OUTCOME("new[] nothrow", ::operator new[](n, std::nothrow));
	OUTCOME("new aligned", ::operator new(n, a));
	OUTCOME("new[] aligned", ::operator new[](n, a));
	OUTCOME("new aligned nothrow", ::operator new(n, a, std::nothrow));
	OUTCOME("new[] aligned nothrow", ::operator new[](n, a, std::nothrow));
#undef OUTCOME
}

int
main()
{
	char *p;

	compat_begin();
	p = new char[opaque(0)];
	say_if("new char[0] is a block", p != nullptr);
	delete[] p;
	p = static_cast<char *>(::operator new(100, std::align_val_t(4096)));
	say_if("aligned new is aligned", (uintptr_t)p % 4096 == 0);
	::operator delete(p, 100, std::align_val_t(4096));
	say_all("without a handler");
	std::set_new_handler(handler);
	say_all("with a handler");
	return 0;
}
