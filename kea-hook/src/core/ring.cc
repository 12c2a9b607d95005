#include "ring.h"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace lease_feed {
namespace {

// One push in 64 reads the clock: two reads cost as much as the push itself.
constexpr std::uint64_t kSampleMask = 63;

// The lock is held for well under a microsecond, so it is worth a few tries before the kernel is asked to wait.
constexpr int kTries = 100;

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

std::uint64_t slotsFor(std::size_t events) {
    std::uint64_t slots = 2;
    while (slots < events + 1) slots *= 2;
    return slots;
}

}  // namespace

// Holds the lock, and notes for how long when asked to.
class Ring::Hold {
public:
    explicit Hold(const Ring& ring) noexcept : ring_(ring) {
        for (int i = 0; i < kTries; ++i) {
            if (ring_.mutex_.try_lock()) return;
            pause();
        }
        ring_.mutex_.lock();
    }
    ~Hold() {
        if (since_ != 0) ring_.longest_ns_ = std::max(ring_.longest_ns_, nowNs() - since_);
        ring_.mutex_.unlock();
    }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    void measure() noexcept { since_ = nowNs(); }

private:
    const Ring& ring_;
    std::uint64_t since_ = 0;
};

Ring::Ring(std::size_t events, std::size_t octets)
    : max_events_(std::max<std::size_t>(events, 1)), max_octets_(std::max(octets, kMaxEntryOctets)),
      mask_(slotsFor(max_events_) - 1), arena_(new char[max_octets_]),
      ends_(new std::uint64_t[static_cast<std::size_t>(mask_ + 1)]) {
    std::memset(arena_.get(), 0, max_octets_);
    std::fill_n(ends_.get(), mask_ + 1, 0);
}

bool Ring::takeWake() noexcept {
    if (wake_at_ == 0 || newest_ < wake_at_) return false;
    wake_at_ = 0;
    return true;
}

Ring::Pushed Ring::push(Octets entry) noexcept {
    if (entry.size() > kMaxEntryOctets) return lose();
    Hold hold(*this);
    if ((newest_ & kSampleMask) == 0) hold.measure();

    const std::uint64_t begin = endOf(newest_);
    const std::uint64_t end = begin + entry.size();
    while (oldest_ <= newest_ && (newest_ - oldest_ + 1 >= max_events_ || end - startOf(oldest_) > max_octets_)) {
        ++oldest_;
    }

    const std::size_t at = static_cast<std::size_t>(begin % max_octets_);
    const std::size_t before_wrap = std::min(entry.size(), max_octets_ - at);
    std::memcpy(arena_.get() + at, entry.data(), before_wrap);
    std::memcpy(arena_.get(), entry.data() + before_wrap, entry.size() - before_wrap);

    ++newest_;
    ends_[newest_ & mask_] = end;
    return {newest_, takeWake()};
}

Ring::Pushed Ring::lose() noexcept {
    Hold hold(*this);
    const std::uint64_t end = endOf(newest_);
    ++newest_;
    ++lost_;
    ends_[newest_ & mask_] = end;
    oldest_ = newest_ + 1;
    return {newest_, takeWake()};
}

Ring::Slice Ring::copy(std::uint64_t from, std::size_t max_events, char* to, std::size_t max_octets) const noexcept {
    Slice slice;
    bool begun = false;
    for (;;) {
        Hold hold(*this);
        hold.measure();
        if (!begun) {
            slice.oldest = oldest_;
            slice.newest = newest_;
            slice.first = std::max(from, oldest_);
            begun = true;
        }
        const std::uint64_t next = slice.first + slice.events;
        if (next < oldest_ || next > newest_ || slice.events >= max_events) return slice;

        const std::size_t most = std::min(kSliceEvents, max_events - slice.events);
        const std::size_t room = std::min(kMaxEntryOctets, max_octets - slice.octets);
        const std::uint64_t begin = startOf(next);
        std::uint64_t end = begin;
        std::size_t taken = 0;
        while (taken < most && next + taken <= newest_ && endOf(next + taken) - begin <= room) {
            end = endOf(next + taken);
            ++taken;
        }
        if (taken == 0) return slice;

        const std::size_t octets = static_cast<std::size_t>(end - begin);
        const std::size_t at = static_cast<std::size_t>(begin % max_octets_);
        const std::size_t before_wrap = std::min(octets, max_octets_ - at);
        char* out = to + slice.octets;
        std::memcpy(out, arena_.get() + at, before_wrap);
        std::memcpy(out + before_wrap, arena_.get(), octets - before_wrap);
        slice.events += taken;
        slice.octets += octets;
    }
}

Ring::Bounds Ring::bounds() const noexcept {
    Hold hold(*this);
    return {oldest_, newest_};
}

bool Ring::wakeAt(std::uint64_t seq) noexcept {
    Hold hold(*this);
    if (newest_ >= seq) return false;
    wake_at_ = seq;
    return true;
}

void Ring::awake() noexcept {
    Hold hold(*this);
    wake_at_ = 0;
}

std::uint64_t Ring::longestLockNs() const noexcept {
    Hold hold(*this);
    return longest_ns_;
}

std::uint64_t Ring::lost() const noexcept {
    Hold hold(*this);
    return lost_;
}

}  // namespace lease_feed
