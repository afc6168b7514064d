/*
 * proto_test.c - the encoder against a reader written from the definition.
 */
#include "proto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os.h"
#include "scratch.h"
#include "sink.h"
#include "wire.h"

static int
setup(void **state)
{
	os_init();
	return 0;
}

static void
test_varint_is_as_the_format_says(void **state)
{
	static const struct {
		uint64_t n;
		size_t len;
		unsigned char bytes[10];
	} cases[] = {
		{ 0, 1, { 0 } },
		{ 127, 1, { 0x7f } },
		{ 128, 2, { 0x80, 0x01 } },
		{ 300, 2, { 0xac, 0x02 } },
		{ UINT64_MAX, 10, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		    0xff, 0xff, 0x01 } },
	};
	unsigned char out[PROTO_VARINT_MAX];

	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(proto_varint(out, cases[i].n),
		    cases[i].len);
		assert_memory_equal(out, cases[i].bytes, cases[i].len);
	}
}

static void
test_varint_round_trip(void **state)
{
	for (unsigned bit = 0; bit < 64; bit++) {
		for (int step = -1; step <= 1; step++) {
			uint64_t n = (UINT64_C(1) << bit) + (uint64_t)step;
			unsigned char out[PROTO_VARINT_MAX];
			struct wire w = { out, out + proto_varint(out, n), 0 };

			assert_true(wire_varint(&w) == n);
			assert_ptr_equal(w.at, w.end);
		}
	}
}

static void
test_zero_fields_are_left_out(void **state)
{
	struct scratch scratch = { 0 };
	struct proto m;

	proto_init(&m, &scratch);
	proto_uint(&m, 1, 0);
	proto_int(&m, 2, 0);
	proto_packed(&m, 3, NULL, 0);
	assert_int_equal(m.used, 0);
	scratch_release(&scratch);
}

static void
test_negative_numbers_take_ten_bytes(void **state)
{
	struct scratch scratch = { 0 };
	struct proto m;

	proto_init(&m, &scratch);
	proto_int(&m, 1, -1);
	assert_int_equal(m.used, 11);
	scratch_release(&scratch);
}

static void
test_packed_keeps_zeros(void **state)
{
	const uint64_t n[] = { 0, 5, 0, UINT64_MAX };
	struct scratch scratch = { 0 };
	struct wire_field field;
	struct proto m;
	struct wire w;

	proto_init(&m, &scratch);
	proto_packed(&m, 2, n, 4);
	w = (struct wire){ m.bytes, m.bytes + m.used, false };
	assert_true(wire_next(&w, &field));
	assert_int_equal(field.number, 2);
	for (size_t i = 0; i < 4; i++)
		assert_true(wire_varint(&field.bytes) == n[i]);
	assert_ptr_equal(field.bytes.at, field.bytes.end);
	assert_false(wire_next(&w, &field));
	scratch_release(&scratch);
}

/* A message grows over many chunks of memory and stays what it was. */
static void
test_large_nested_message(void **state)
{
	enum { N = 100000 };
	struct scratch scratch = { 0 };
	struct proto inner, outer;
	struct wire_field field;
	struct wire w;

	proto_init(&inner, &scratch);
	proto_init(&outer, &scratch);
	for (unsigned i = 1; i <= N; i++) {
		proto_reset(&inner);
		proto_uint(&inner, 1, i);
		proto_message(&outer, 4, &inner);
	}
	assert_int_equal(outer.error, 0);
	w = (struct wire){ outer.bytes, outer.bytes + outer.used, false };
	for (unsigned i = 1; i <= N; i++) {
		struct wire_field number;

		assert_true(wire_next(&w, &field));
		assert_true(wire_next(&field.bytes, &number));
		assert_int_equal(number.value, i);
	}
	assert_false(wire_next(&w, &field));
	assert_false(w.bad);
	scratch_release(&scratch);
	assert_int_equal(scratch.mapped, 0);
}

static void
test_sink_writes_in_order_through_a_small_buffer(void **state)
{
	char path[] = "/tmp/proto_test.XXXXXX", buf[7], text[32];
	int fd = mkstemp(path);
	struct sink sink;

	unlink(path);
	sink_init(&sink, fd, buf, sizeof buf);
	sink_string(&sink, "0123456789");
	sink_char(&sink, ' ');
	sink_decimal(&sink, UINT64_MAX);
	assert_int_equal(sink_flush(&sink), 0);
	assert_int_equal(sink.total, 31);
	assert_int_equal(pread(fd, text, sizeof text, 0), 31);
	assert_memory_equal(text, "0123456789 18446744073709551615", 31);
	close(fd);
}

static void
test_sink_keeps_its_first_error(void **state)
{
	char buf[16];
	struct sink sink;

	sink_init(&sink, open("/dev/full", O_WRONLY | O_CLOEXEC), buf,
	    sizeof buf);
	for (int i = 0; i < 100; i++)
		sink_string(&sink, "more than the buffer holds ");
	assert_int_equal(sink_flush(&sink), ENOSPC);
	assert_int_equal(sink.error, ENOSPC);
	close(sink.fd);
}

/* Without memory a message says so; the process lives. */
static void
test_no_memory_is_an_error(void **state)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		const struct rlimit none = { 0, 0 };
		struct scratch scratch = { 0 };
		struct proto m;

		setrlimit(RLIMIT_AS, &none);
		proto_init(&m, &scratch);
		proto_uint(&m, 1, 1);
		_exit(m.error == ENOMEM && m.used == 0 ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_varint_is_as_the_format_says),
		cmocka_unit_test(test_varint_round_trip),
		cmocka_unit_test(test_zero_fields_are_left_out),
		cmocka_unit_test(test_negative_numbers_take_ten_bytes),
		cmocka_unit_test(test_packed_keeps_zeros),
		cmocka_unit_test(test_large_nested_message),
		cmocka_unit_test(
		    test_sink_writes_in_order_through_a_small_buffer),
		cmocka_unit_test(test_sink_keeps_its_first_error),
		cmocka_unit_test(test_no_memory_is_an_error),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
