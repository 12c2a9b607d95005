#include <atomic>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "ring.h"

using lease_feed::kMaxEntryOctets;
using lease_feed::Octets;
using lease_feed::Ring;
using Wake = lease_feed::Ring::Wake;

namespace {

std::string entry(std::uint64_t n, std::size_t octets) {
    std::string text(octets, static_cast<char>('a' + n % 26));
    std::memcpy(&text[0], &n, sizeof n);
    return text;
}

void numbersAndContents() {
    Ring ring(8, 0);
    CHECK(ring.bounds().oldest == 1 && ring.bounds().newest == 0);
    CHECK(ring.push("one").seq == 1);
    CHECK(ring.push("two").seq == 2);
    char out[64];
    const Ring::Slice slice = ring.copy(1, 10, out, sizeof out);
    CHECK(slice.first == 1 && slice.events == 2 && slice.octets == 6 && std::string(out, 6) == "onetwo");
    CHECK(slice.oldest == 1 && slice.newest == 2);
    const Ring::Slice second = ring.copy(2, 10, out, sizeof out);
    CHECK(second.first == 2 && second.events == 1 && std::string(out, 3) == "two");
    CHECK(ring.copy(3, 10, out, sizeof out).events == 0);
    CHECK(ring.copy(1, 1, out, sizeof out).events == 1);
    CHECK(ring.copy(1, 10, out, 5).events == 1);  // the second does not fit
}

void overwritesTheOldestByCount() {
    Ring ring(4, 1 << 20);
    for (int i = 0; i < 10; ++i) ring.push("x");
    CHECK(ring.bounds().oldest == 7 && ring.bounds().newest == 10);
    char out[16];
    const Ring::Slice slice = ring.copy(1, 10, out, sizeof out);
    CHECK(slice.first == 7 && slice.events == 4);
}

void overwritesTheOldestByOctets() {
    Ring ring(1000000, kMaxEntryOctets);
    const std::string half(kMaxEntryOctets / 2, 'h');
    ring.push(half);
    ring.push(half);
    CHECK(ring.bounds().oldest == 1);
    ring.push("x");
    CHECK(ring.bounds().oldest == 2 && ring.bounds().newest == 3);
    const std::string whole(kMaxEntryOctets, 'w');
    ring.push(whole);  // as large as the arena: alone in it
    CHECK(ring.bounds().oldest == 4 && ring.bounds().newest == 4);
    std::vector<char> out(kMaxEntryOctets);
    CHECK(ring.copy(4, 1, out.data(), out.size()).events == 1 && std::string(out.data(), out.size()) == whole);
}

void entriesSurviveTheWrap() {
    Ring ring(100, kMaxEntryOctets);
    std::vector<char> out(kMaxEntryOctets);
    for (std::uint64_t n = 1; n < 5000; ++n) {
        const std::string text = entry(n, 8 + n % 997);
        CHECK(ring.push(text).seq == n);
        const Ring::Slice slice = ring.copy(n, 1, out.data(), out.size());
        CHECK(slice.events == 1 && std::string(out.data(), slice.octets) == text);
    }
}

void whatCannotBeKeptEmptiesTheRing() {
    Ring ring(8, 1 << 20);
    ring.push("a");
    ring.push("b");
    CHECK(ring.push(std::string(kMaxEntryOctets + 1, 'x')).seq == 3);
    CHECK(ring.lost() == 1);
    CHECK(ring.bounds().oldest == 4 && ring.bounds().newest == 3);
    char out[16];
    const Ring::Slice none = ring.copy(1, 10, out, sizeof out);
    CHECK(none.events == 0 && none.first == 4);
    CHECK(ring.push("c").seq == 4);
    const Ring::Slice slice = ring.copy(1, 10, out, sizeof out);
    CHECK(slice.first == 4 && slice.events == 1 && out[0] == 'c');
}

void wakesOnceAtTheNumberAskedFor() {
    Ring ring(8, 0);
    CHECK(ring.push("a").wake == Wake::no);
    CHECK(ring.sleep(2, 4) == 0);
    CHECK(ring.push("b").wake == Wake::soon);
    CHECK(ring.push("c").wake == Wake::no);
    CHECK(ring.push("d").wake == Wake::now);
    CHECK(ring.push("e").wake == Wake::no);
    CHECK(ring.sleep(6, 9) == 0);
    ring.awake();
    CHECK(ring.push("f").wake == Wake::no);
    CHECK(ring.sleep(7, 7) == 0);
    CHECK(ring.lose().wake == Wake::now);
    CHECK(ring.sleep(8, 9, false) == 0);  // who looks by itself is told only of the last of those
    CHECK(ring.push("h").wake == Wake::no);
    CHECK(ring.push("i").wake == Wake::now);
}

void tellsWhoWouldSleepWhatIsThere() {
    Ring ring(8, 0);
    ring.push("a");
    ring.push("b");
    CHECK(ring.sleep(1, 4) == 2);
    CHECK(ring.push("c").wake == Wake::no);  // one of those that nobody is woken for
    CHECK(ring.push("d").wake == Wake::now);
    CHECK(ring.sleep(1, 2) == 4);
    CHECK(ring.sleep(5, 6) == 0);
}

// Who sleeps is never left asleep: each push is read before the next one is made, and nothing but the wake-up tells.
void noWakeUpIsLost() {
    constexpr std::uint64_t pushes = 200000;
    Ring ring(8, 0);
    std::atomic<std::uint64_t> read{0};
    std::atomic<std::uint64_t> rung{0};
    std::thread reader([&] {
        std::uint64_t heard = 0;
        for (std::uint64_t next = 1; next <= pushes;) {
            if (ring.sleep(next, next + 5) == 0) {
                while (rung.load() == heard) std::this_thread::yield();
            }
            heard = rung.load();
            ring.awake();
            next = ring.bounds().newest + 1;
            read.store(next - 1);
        }
    });
    bool awake = true;
    for (std::uint64_t n = 1; n <= pushes && awake; ++n) {
        if (ring.push("x").wake != Wake::no) rung.fetch_add(1);
        const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        while (read.load() < n && awake) {
            std::this_thread::yield();
            awake = std::chrono::steady_clock::now() < patience;
        }
    }
    CHECK(awake);
    rung.fetch_add(1);
    for (std::uint64_t n = read.load(); n < pushes; ++n) {
        ring.push("x");
        rung.fetch_add(1);
    }
    reader.join();
}

// Producers and a reader at once, the ring far too small: what is read is whole, in order, and carries its number.
void concurrentOverflow() {
    constexpr std::uint64_t each = 100000;
    constexpr int producers = 3;
    Ring ring(64, kMaxEntryOctets);
    std::atomic<int> running{producers};
    std::vector<std::thread> threads;
    std::vector<std::vector<std::uint64_t>> numbers(producers);
    for (int p = 0; p < producers; ++p) {
        threads.emplace_back([&, p] {
            for (std::uint64_t i = 0; i < each; ++i) {
                const std::uint64_t tag = static_cast<std::uint64_t>(p) << 32 | i;
                numbers[static_cast<std::size_t>(p)].push_back(ring.push(entry(tag, 8 + i % 300)).seq);
            }
            --running;
        });
    }
    std::uint64_t next = 1, read = 0, skipped = 0;
    std::vector<std::uint64_t> last(producers, 0);
    std::vector<char> out(64 * 1024);
    bool whole = true, ordered = true;
    while (running.load() > 0 || next <= ring.bounds().newest) {
        const Ring::Slice slice = ring.copy(next, 100, out.data(), out.size());
        if (slice.first > next) skipped += slice.first - next;
        std::size_t at = 0;
        for (std::size_t i = 0; i < slice.events; ++i) {
            std::uint64_t tag = 0;
            std::memcpy(&tag, out.data() + at, sizeof tag);
            const std::uint64_t count = tag & 0xffffffff;
            const std::size_t producer = tag >> 32;
            const std::string expected = entry(tag, 8 + count % 300);
            if (producer >= static_cast<std::size_t>(producers) || at + expected.size() > slice.octets ||
                std::memcmp(out.data() + at, expected.data(), expected.size()) != 0) {
                whole = false;
                break;
            }
            if (count != 0 && count < last[producer]) ordered = false;
            last[producer] = count;
            at += expected.size();
        }
        whole = whole && at == slice.octets;
        read += slice.events;
        next = slice.first + slice.events;
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(whole);
    CHECK(ordered);
    CHECK(read + skipped == each * producers);
    CHECK(ring.bounds().newest == each * producers);
    std::vector<bool> seen(each * producers + 1);
    bool unique = true;
    for (const auto& list : numbers) {
        for (const std::uint64_t n : list) {
            if (n < 1 || n > each * producers || seen[n]) unique = false;
            else seen[n] = true;
        }
    }
    CHECK(unique);
}

}  // namespace

int main() {
    return check::run({
        {"gives numbers from 1 and returns what was pushed", numbersAndContents},
        {"overwrites the oldest when it holds as many events as allowed", overwritesTheOldestByCount},
        {"overwrites the oldest when it holds as many octets as allowed", overwritesTheOldestByOctets},
        {"keeps entries whole across the end of the arena", entriesSurviveTheWrap},
        {"empties itself for an event that cannot be kept, so that the gap is seen", whatCannotBeKeptEmptiesTheRing},
        {"asks for a wake-up once, at the number the sleeper waits for", wakesOnceAtTheNumberAskedFor},
        {"says what is there already to who would sleep", tellsWhoWouldSleepWhatIsThere},
        {"leaves nobody asleep, however pushing and going to sleep meet", noWakeUpIsLost},
        {"stays whole, ordered and counted under concurrent producers and overflow", concurrentOverflow},
    });
}
