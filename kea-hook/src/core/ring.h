// The ring: the last events in a fixed arena, each with its sequence number. It is all that a thread of Kea ever
// meets of the feed.
//
// Threads of Kea take turns at a lock that none but they take, for the time of one copy in. Whoever reads takes no
// lock: it copies out, then looks whether what it copied was overwritten meanwhile, and if so takes what is left. So a
// reader that the kernel stops in the middle of it, or that is slow, keeps no thread of Kea waiting.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "lease.h"

namespace lease_feed {

/// Largest entry that the ring takes.
constexpr std::size_t kMaxEntryOctets = 16 * 1024;

class Ring {
public:
    /// Allocates and touches all memory, so that no later push() meets a page fault of the arena.
    /// @param events  most events kept, at least 1
    /// @param octets  most octets kept, raised to kMaxEntryOctets if less; an entry takes a multiple of 8
    Ring(std::size_t events, std::size_t octets);
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;

    /// What the sleeping reader asked for by sleep().
    enum class Wake { no, soon, now };
    struct Pushed {
        std::uint64_t seq;
        Wake wake;
    };

    /// Keeps an entry under the next sequence number; overwrites the oldest ones where there is no room.
    /// An entry longer than kMaxEntryOctets is treated as lose().
    Pushed push(Octets entry) noexcept;

    /// Uses up a sequence number for an event that cannot be kept, and forgets all others: whoever follows
    /// sees the gap and walks. Better than an event that silently never was.
    Pushed lose() noexcept;

    struct Slice {
        std::uint64_t first = 0;  ///< number of the first entry copied
        std::size_t events = 0;
        std::size_t octets = 0;
        std::uint64_t oldest = 0;  ///< when the copy began
        std::uint64_t newest = 0;
    };

    /// Copies entries with consecutive numbers, beginning with `from`, or with the oldest if `from` is gone; what was
    /// overwritten while it was copied is left out. Any thread, at any time.
    Slice copy(std::uint64_t from, std::size_t max_events, char* to, std::size_t max_octets) const noexcept;

    struct Bounds {
        std::uint64_t oldest;  ///< newest + 1 when the ring is empty
        std::uint64_t newest;  ///< 0 before the first
    };
    Bounds bounds() const noexcept;

    /// Asks, for the one reader that sleeps, for Wake::soon at the push of `next` and for Wake::now at the one of
    /// `enough`.
    /// @param first  false: of `next` it need not be told, since it looks by itself
    /// @return how many entries from `next` on are there already: for these nobody will be woken
    std::uint64_t sleep(std::uint64_t next, std::uint64_t enough, bool first = true) noexcept;
    /// Takes the request of sleep() back.
    void awake() noexcept;

    /// The longest time the lock was held, in ns: of a sample of the pushes.
    std::uint64_t longestLockNs() const noexcept { return longest_ns_.load(std::memory_order_relaxed); }
    std::uint64_t lost() const noexcept { return lost_.load(std::memory_order_relaxed); }

    std::size_t maxEvents() const noexcept { return max_events_; }
    std::size_t maxOctets() const noexcept { return words_ * kWord; }

private:
    class Hold;
    using Word = std::uint64_t;
    static constexpr std::size_t kWord = sizeof(Word);
    static constexpr std::size_t kLine = 64;

    /// Where an entry is, in words counted since the beginning, and its octets.
    struct Place {
        std::atomic<std::uint64_t> begin{0};
        std::atomic<std::uint64_t> octets{0};
    };
    static std::size_t wordsOf(std::size_t octets) noexcept { return (octets + kWord - 1) / kWord; }
    Place& placeOf(std::uint64_t seq) const noexcept { return places_[seq & mask_]; }
    void forget(std::uint64_t oldest) noexcept;
    void write(std::uint64_t begin, Octets entry) noexcept;
    void read(std::uint64_t begin, std::size_t octets, char* to) const noexcept;
    Pushed pushed(std::uint64_t seq) noexcept;

    const std::size_t max_events_;
    const std::size_t words_;
    const std::uint64_t mask_;                    // of the number of places; there is one more than events
    std::unique_ptr<std::atomic<Word>[]> arena_;  // circular
    std::unique_ptr<Place[]> places_;

    // Each group in a cache line of its own: one is for those who push, one is read by all, one the reader writes.
    alignas(kLine) std::mutex mutex_;
    std::uint64_t end_ = 0;  // of the newest entry, in words since the beginning; guarded by mutex_
    std::atomic<std::uint64_t> lost_{0};
    std::atomic<std::uint64_t> longest_ns_{0};
    // Written under the lock. An entry is whole for a reader that sees it in newest_, copies it, and still does not see
    // it overwritten in oldest_.
    alignas(kLine) std::atomic<std::uint64_t> oldest_{1};
    std::atomic<std::uint64_t> newest_{0};
    // 0: not asked for.
    alignas(kLine) std::atomic<std::uint64_t> soon_at_{0};
    std::atomic<std::uint64_t> now_at_{0};
};

}  // namespace lease_feed
