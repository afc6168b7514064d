/*
 * svg_test.c - what is written is well-formed whatever the text.
 */
#include "command.h"

#include "svg.h"

static char *
escaped(const char *text)
{
	FILE *file = tmpfile();
	char *out;

	assert_non_null(file);
	svg_escape(file, text);
	out = file_text(file);
	fclose(file);
	return out;
}

static void
assert_escaped(const char *text, const char *expected)
{
	char *out = escaped(text);

	assert_string_equal(out, expected);
	free(out);
}

static void
test_markup_is_escaped(void **state)
{
	assert_escaped("std::map<int, a&&>",
	    "std::map&lt;int, a&amp;&amp;&gt;");
	assert_escaped("\"it's\"", "&quot;it&#39;s&quot;");
	assert_escaped("caf\u00e9 \u65e5", "caf\u00e9 \u65e5");
}

static void
test_what_xml_forbids_is_replaced(void **state)
{
	assert_escaped("a\x01" "b", "a\xef\xbf\xbd" "b");
	assert_escaped("a\xff\xfe", "a\xef\xbf\xbd\xef\xbf\xbd");
	assert_escaped("\xc3", "\xef\xbf\xbd");		/* cut short */
	assert_escaped("\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd");	/* overlong */
	assert_escaped("\xed\xa0\x80",			/* a surrogate */
	    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	assert_escaped("\xef\xbf\xbf",			/* U+FFFF */
	    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	assert_escaped("\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80");
}

/* A picture with every kind of element, holding the text everywhere. */
static char *
picture(const char *text)
{
	FILE *file = tmpfile();
	struct svg *svg;
	char *out;

	assert_non_null(file);
	svg = svg_begin(file, 300, 200, text, "id=\"top\"");
	svg_style(svg, "rect { stroke: none }\n");
	svg_open(svg, "g", "class=\"%s\"", "row");
	svg_rect(svg, 0, 0.5, 100.25, 16, "#ff8800", text);
	svg_line(svg, 0, 0, 10, 10, "black");
	svg_text(svg, 1, 2, "middle", "font-size=\"9\"", text);
	svg_script(svg, "if (1 < 2 && 3 > 2) { }\n");
	svg_end(svg);			/* closes the group */
	out = file_text(file);
	fclose(file);
	return out;
}

static void
test_pictures_are_well_formed(void **state)
{
	static const char *const texts[] = { "plain", "<&>\"'", "]]>",
	    "\x01\x1f\x7f\xff", "operator<=>(a&, b&&)" };

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		char *out = picture(texts[i]);

		assert_well_formed(out);
		free(out);
	}
}

static void
test_random_bytes_are_well_formed(void **state)
{
	char text[65], *out;
	unsigned seed = 20260701;

	print_message("seed %u\n", seed);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 64; i++)
			text[i] = (char)(1 + rand_r(&seed) % 255);
		text[64] = '\0';
		out = picture(text);
		assert_well_formed(out);
		free(out);
	}
}

static void
test_pictures_name_no_other_file(void **state)
{
	char *out = picture("x");

	assert_null(strstr(out, "href"));
	assert_null(strstr(out, "url("));
	assert_null(strstr(out, "@import"));
	assert_non_null(strstr(out, "sans-serif"));
	free(out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_markup_is_escaped),
		cmocka_unit_test(test_what_xml_forbids_is_replaced),
		cmocka_unit_test(test_pictures_are_well_formed),
		cmocka_unit_test(test_random_bytes_are_well_formed),
		cmocka_unit_test(test_pictures_name_no_other_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
