#include "ring.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

namespace lease_feed {
namespace {

// One push in 64 reads the clock: two reads cost as much as the push itself.
constexpr std::uint64_t kSampleMask = 63;

// The lock is held for well under a microsecond, so it is worth a few tries before the kernel is asked to wait.
constexpr int kTries = 100;

// Entries that are copied before it is looked whether they still stand.
constexpr std::size_t kRun = 32;

std::uint64_t nowNs() noexcept {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
            .count());
}

void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

// Of a number that was asked for and is reached: whether it still is asked for. A reader that woke up by itself may have
// asked for a later one meanwhile.
bool takeBack(std::atomic<std::uint64_t>& asked, std::uint64_t seq) noexcept {
    std::uint64_t number = asked.load(std::memory_order_relaxed);
    return number != 0 && seq >= number && asked.compare_exchange_strong(number, 0, std::memory_order_relaxed);
}

std::uint64_t slotsFor(std::size_t events) {
    std::uint64_t slots = 2;
    while (slots < events + 1) slots *= 2;
    return slots;
}

}  // namespace

// Holds the lock, and notes for how long when asked to.
class Ring::Hold {
public:
    explicit Hold(Ring& ring) noexcept : ring_(ring) {
        for (int i = 0; i < kTries; ++i) {
            if (ring_.mutex_.try_lock()) return;
            pause();
        }
        ring_.mutex_.lock();
    }
    ~Hold() {
        if (since_ != 0) {
            const std::uint64_t held = nowNs() - since_;
            if (held > ring_.longestLockNs()) ring_.longest_ns_.store(held, std::memory_order_relaxed);
        }
        ring_.mutex_.unlock();
    }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    void measure() noexcept { since_ = nowNs(); }

private:
    Ring& ring_;
    std::uint64_t since_ = 0;
};

Ring::Ring(std::size_t events, std::size_t octets)
    : max_events_(std::max<std::size_t>(events, 1)), words_(wordsOf(std::max(octets, kMaxEntryOctets))),
      mask_(slotsFor(max_events_) - 1), arena_(new std::atomic<Word>[words_]),
      places_(new Place[static_cast<std::size_t>(mask_ + 1)]) {
    for (std::size_t i = 0; i < words_; ++i) arena_[i].store(0, std::memory_order_relaxed);
}

// Before their octets are written over.
void Ring::forget(std::uint64_t oldest) noexcept {
    oldest_.store(oldest, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
}

// The words of an entry lie one after the other, and go on at the arena's beginning.
void Ring::write(std::uint64_t begin, Octets entry) noexcept {
    std::size_t at = static_cast<std::size_t>(begin % words_);
    const char* from = entry.data();
    std::size_t left = entry.size();
    for (; left >= kWord; left -= kWord, from += kWord) {
        Word word;
        std::memcpy(&word, from, kWord);
        arena_[at].store(word, std::memory_order_relaxed);
        if (++at == words_) at = 0;
    }
    if (left > 0) {
        Word word = 0;
        std::memcpy(&word, from, left);
        arena_[at].store(word, std::memory_order_relaxed);
    }
}

void Ring::read(std::uint64_t begin, std::size_t octets, char* to) const noexcept {
    std::size_t at = static_cast<std::size_t>(begin % words_);
    for (; octets >= kWord; octets -= kWord, to += kWord) {
        const Word word = arena_[at].load(std::memory_order_relaxed);
        std::memcpy(to, &word, kWord);
        if (++at == words_) at = 0;
    }
    if (octets > 0) {
        const Word word = arena_[at].load(std::memory_order_relaxed);
        std::memcpy(to, &word, octets);
    }
}

Ring::Pushed Ring::pushed(std::uint64_t seq) noexcept {
    newest_.store(seq, std::memory_order_release);
    // Either this sees what sleep() asks for, or sleep() sees the new number.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    const bool soon = takeBack(soon_at_, seq);
    if (takeBack(now_at_, seq)) return {seq, Wake::now};
    return {seq, soon ? Wake::soon : Wake::no};
}

Ring::Pushed Ring::push(Octets entry) noexcept {
    if (entry.size() > kMaxEntryOctets) return lose();
    Hold hold(*this);
    const std::uint64_t newest = newest_.load(std::memory_order_relaxed);
    if ((newest & kSampleMask) == 0) hold.measure();

    const std::uint64_t begin = end_;
    const std::uint64_t end = begin + wordsOf(entry.size());
    const std::uint64_t before = oldest_.load(std::memory_order_relaxed);
    std::uint64_t oldest = before;
    while (oldest <= newest && (newest - oldest + 1 >= max_events_ ||
                                end - placeOf(oldest).begin.load(std::memory_order_relaxed) > words_)) {
        ++oldest;
    }
    if (oldest != before) forget(oldest);

    write(begin, entry);
    end_ = end;
    Place& place = placeOf(newest + 1);
    place.begin.store(begin, std::memory_order_relaxed);
    place.octets.store(entry.size(), std::memory_order_relaxed);
    return pushed(newest + 1);
}

Ring::Pushed Ring::lose() noexcept {
    Hold hold(*this);
    const std::uint64_t seq = newest_.load(std::memory_order_relaxed) + 1;
    lost_.fetch_add(1, std::memory_order_relaxed);
    forget(seq + 1);
    return pushed(seq);
}

Ring::Slice Ring::copy(std::uint64_t from, std::size_t max_events, char* to, std::size_t max_octets) const noexcept {
    Slice slice;
    const Bounds bounds = this->bounds();
    slice.oldest = bounds.oldest;
    slice.newest = bounds.newest;
    slice.first = std::max(from, bounds.oldest);
    std::array<std::size_t, kRun + 1> ends{};  // in `to`: where each entry of the run begins, and the last one ends
    while (slice.events < max_events) {
        const std::uint64_t next = slice.first + slice.events;
        std::size_t run = 0;
        ends[0] = slice.octets;
        while (run < std::min(kRun, max_events - slice.events) && next + run <= slice.newest) {
            const Place& place = placeOf(next + run);
            const std::uint64_t octets = place.octets.load(std::memory_order_relaxed);
            if (octets > max_octets - ends[run]) break;  // no room, or a place that is being written anew
            read(place.begin.load(std::memory_order_relaxed), static_cast<std::size_t>(octets), to + ends[run]);
            ends[run + 1] = ends[run] + static_cast<std::size_t>(octets);
            ++run;
        }
        std::atomic_thread_fence(std::memory_order_acquire);
        const std::uint64_t oldest = oldest_.load(std::memory_order_relaxed);
        if (oldest <= next) {  // all of it stands
            if (run == 0) return slice;
            slice.events += run;
            slice.octets = ends[run];
            continue;
        }
        if (slice.events > 0) return slice;
        // The first run, and its beginning is gone: what is left moves to the front.
        const std::size_t gone = static_cast<std::size_t>(std::min<std::uint64_t>(oldest - next, run));
        slice.events = run - gone;
        slice.octets = ends[run] - ends[gone];
        std::memmove(to, to + ends[gone], slice.octets);
        slice.first = slice.events > 0 ? next + gone : oldest;
        return slice;
    }
    return slice;
}

Ring::Bounds Ring::bounds() const noexcept {
    // In this order: what is the oldest now is not beyond what will be the newest then. (Within lose() it is, by one.)
    const std::uint64_t oldest = oldest_.load(std::memory_order_acquire);
    return {oldest, std::max(newest_.load(std::memory_order_acquire), oldest - 1)};
}

std::uint64_t Ring::sleep(std::uint64_t next, std::uint64_t enough, bool first) noexcept {
    soon_at_.store(first ? next : 0, std::memory_order_relaxed);
    now_at_.store(enough, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    const std::uint64_t newest = newest_.load(std::memory_order_relaxed);
    if (newest < next) return 0;
    soon_at_.store(0, std::memory_order_relaxed);
    return newest + 1 - next;
}

void Ring::awake() noexcept {
    soon_at_.store(0, std::memory_order_relaxed);
    now_at_.store(0, std::memory_order_relaxed);
}

}  // namespace lease_feed
