/*
 * shortname_test.c - names for pictures.
 */
#include "command.h"

#include "shortname.h"

static void
assert_short(const char *name, const char *expected)
{
	char *got = short_name(name);

	assert_string_equal(got, expected);
	assert_true(strlen(got) <= strlen(name));
	free(got);
}

static void
test_plain_names_stay(void **state)
{
	assert_short("main", "main");
	assert_short("", "");
	assert_short("libc.so.6+0x27249", "libc.so.6+0x27249");
	assert_short("(anonymous namespace)::f(int, char const*)",
	    "(anonymous namespace)::f(int, char const*)");
	assert_short("f server.c:12", "f server.c:12");
}

static void
test_template_arguments_go(void **state)
{
	assert_short(
	    "std::vector<Session, std::allocator<Session> >::push_back",
	    "std::vector<>::push_back");
	assert_short("a<b<c> >::d<e>(f<g>)", "a<>::d<>(f<>)");
	assert_short("core::ptr::drop_in_place<alloc::vec::Vec<u8>>",
	    "core::ptr::drop_in_place<>");
	assert_short("f<int (*)(void)>::operator()", "f<>::operator()");
}

static void
test_strings_are_strings(void **state)
{
	assert_short("std::__cxx11::basic_string<char, "
	    "std::char_traits<char>, std::allocator<char> >::append",
	    "std::string::append");
}

static void
test_operators_keep_their_angles(void **state)
{
	assert_short("operator<", "operator<");
	assert_short("a::operator<<", "a::operator<<");
	assert_short("a<b>::operator->", "a<>::operator->");
	assert_short("operator<=> <int>", "operator<=>");
	assert_short("std::operator<< <std::char_traits<char> >",
	    "std::operator<<");
	assert_short("my_operator<int>", "my_operator<>");
	assert_short("operatorx<int>", "operatorx<>");
	assert_short("operator new", "operator new");
}

static void
test_unbalanced_angles_stay(void **state)
{
	assert_short("a<b", "a<b");
	assert_short("a>b", "a>b");
	assert_short("<lambda(int)>", "<lambda(int)>");
	assert_short("<T as core::Clone>::clone", "<T as core::Clone>::clone");
	assert_short("->", "->");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_names_stay),
		cmocka_unit_test(test_template_arguments_go),
		cmocka_unit_test(test_strings_are_strings),
		cmocka_unit_test(test_operators_keep_their_angles),
		cmocka_unit_test(test_unbalanced_angles_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
