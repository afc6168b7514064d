/*
 * cxx_program.cc - C++ as programs use it: containers, strings, exceptions
 * through threads, every form of new and delete. Prints sums that depend on
 * nothing but its code.
 */
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <functional>
#include <future>
#include <list>
#include <map>
#include <memory>
#include <new>
#include <numeric>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace {

struct alignas(64) Line {
	uint64_t words[8];
};

struct alignas(4096) Page {
	unsigned char bytes[4096];
};

struct Shape {
	virtual ~Shape() = default;
	virtual long area() const = 0;
};

struct Square : Shape {
	explicit Square(long s) : side(s), padding(static_cast<size_t>(s)) {}
	long area() const override { return side * side; }
	long side;
	std::vector<char> padding;
};

struct Rectangle : Shape {
	Rectangle(long w, long h) : width(w), height(h) {}
	long area() const override { return width * height; }
	long width, height;
	Line line{};
};

uint64_t random_state = 42;

uint64_t random_next()
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	return random_state ^= random_state << 17;
}

long containers()
{
	std::map<std::string, std::list<int>> lists;
	std::unordered_map<uint64_t, std::deque<uint64_t>> deques;
	long sum = 0;

	for (int i = 0; i < 60000; i++) {
		uint64_t r = random_next();

		lists["key-" + std::to_string(r % 3000)].push_back(i);
		deques[r % 500].push_front(r);
		if (i % 7 == 0)
			deques.erase(r % 400);
	}
	for (const auto &[key, list] : lists)
		sum += static_cast<long>(key.size() * list.size());
	for (const auto &[key, deque] : deques)
		sum += static_cast<long>(key ^ deque.size());
	return sum;
}

long aligned()
{
	std::vector<std::unique_ptr<Line>> lines;
	long wrong = 0;

	for (int i = 0; i < 2000; i++) {
		lines.push_back(std::make_unique<Line>());
		wrong += reinterpret_cast<uintptr_t>(lines.back().get()) % 64;
	}
	for (int i = 0; i < 100; i++) {
		std::unique_ptr<Page[]> pages(new Page[3]);

		wrong += reinterpret_cast<uintptr_t>(pages.get()) % 4096;
		pages[2].bytes[4095] = 1;
	}
	void *raw = ::operator new(1000, std::align_val_t(512));
	wrong += reinterpret_cast<uintptr_t>(raw) % 512;
	::operator delete(raw, 1000, std::align_val_t(512));
	raw = ::operator new[](1000, std::align_val_t(256), std::nothrow);
	wrong += reinterpret_cast<uintptr_t>(raw) % 256;
	::operator delete[](raw, std::align_val_t(256));
	return wrong;
}

long impossible()
{
	/* volatile: or the compiler drops the pair */
	volatile size_t huge = SIZE_MAX / 2;
	long caught = 0;

	try {
		caught += ::operator new(huge) == nullptr;
	} catch (const std::bad_alloc &) {
		caught += 10;
	}
	try {
		std::vector<char> v(static_cast<size_t>(1) << 62);
	} catch (const std::exception &) {
		caught += 100;
	}
	if (::operator new(huge, std::nothrow) == nullptr)
		caught += 1000;
	return caught;
}

[[noreturn]] void thrower(int depth)
{
	std::string witness(static_cast<size_t>(depth) * 10, 'w');

	if (depth > 0)
		thrower(depth - 1);
	throw std::runtime_error("thrown at the bottom " +
	    std::to_string(witness.size()));
}

long exceptions(int n)
{
	long caught = 0;

	for (int i = 0; i < n; i++) {
		try {
			thrower(i % 12);
		} catch (const std::runtime_error &e) {
			caught += std::string(e.what()).size() % 7;
		}
	}
	return caught;
}

long threads()
{
	std::vector<std::future<long>> futures;
	std::atomic<long> freed{0};
	long sum = 0;

	for (int t = 0; t < 4; t++) {
		futures.push_back(std::async(std::launch::async, [t, &freed] {
			std::vector<std::unique_ptr<Shape>> shapes;

			for (int i = 1; i < 4000; i++) {
				if (i % 3 == t % 3)
					shapes.emplace_back(
					    new Square(i % 90));
				else
					shapes.emplace_back(
					    new Rectangle(i, t));
			}
			std::thread other([moved = std::move(shapes),
			    &freed]() mutable {
				for (auto &shape : moved)
					freed += shape->area();
				moved.clear();
			});
			other.join();
			if (t == 3)
				throw std::logic_error("from a thread");
			return exceptions(500);
		}));
	}
	for (auto &future : futures) {
		try {
			sum += future.get();
		} catch (const std::logic_error &e) {
			sum += 1000;
		}
	}
	return sum + freed;
}

long text()
{
	std::ostringstream out;
	std::regex word("([a-z]+)-([0-9]+)");
	std::smatch match;
	long sum = 0;

	for (int i = 0; i < 3000; i++)
		out << "item-" << i * 17 % 1009 << (i % 10 ? ' ' : '\n');
	std::string all = out.str();
	for (auto at = all.cbegin();
	    std::regex_search(at, all.cend(), match, word);
	    at = match[0].second)
		sum += std::stol(match[2]);
	return sum;
}

/* What is live at exit: a profile has to show it. */
std::vector<std::string> *kept;

void keep(int n)
{
	kept = new std::vector<std::string>();
	for (int i = 0; i < n; i++)
		kept->push_back(std::string(200 + i % 700, 'k'));
}

} // namespace

int main()
{
	std::printf("containers %ld\n", containers());
	std::printf("aligned %ld\n", aligned());
	std::printf("impossible %ld\n", impossible());
	std::printf("exceptions %ld\n", exceptions(3000));
	std::printf("threads %ld\n", threads());
	std::printf("text %ld\n", text());
	keep(4000);
	std::printf("kept %zu\n", kept->size());
	return 0;
}
