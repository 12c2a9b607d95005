// The ring: the last events in a fixed arena, each with its sequence number. It is all that a thread of Kea ever
// meets of the feed, so its lock is held for one memcpy in, or a small slice out, and for nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "lease.h"

namespace lease_feed {

/// Largest entry that the ring takes, and the most octets that leave it under one lock.
constexpr std::size_t kMaxEntryOctets = 16 * 1024;
/// Most entries that leave the ring under one lock.
constexpr std::size_t kSliceEvents = 32;

class Ring {
public:
    /// Allocates and touches all memory, so that no later push() meets a page fault of the arena.
    /// @param events  most events kept, at least 1
    /// @param octets  most octets kept, raised to kMaxEntryOctets if less
    Ring(std::size_t events, std::size_t octets);
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;

    struct Pushed {
        std::uint64_t seq;
        bool wake;  ///< the reader sleeps and waits for this one: wake it
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

    /// Copies entries with consecutive numbers, beginning with `from`, or with the oldest if `from` is gone.
    /// Takes the lock anew for each kSliceEvents events or kMaxEntryOctets octets; stops early when the
    /// entries to come were overwritten meanwhile.
    Slice copy(std::uint64_t from, std::size_t max_events, char* to, std::size_t max_octets) const noexcept;

    struct Bounds {
        std::uint64_t oldest;  ///< newest + 1 when the ring is empty
        std::uint64_t newest;  ///< 0 before the first
    };
    Bounds bounds() const noexcept;

    /// Asks for Pushed::wake at the push that reaches `seq`.
    /// @return false when `seq` is there already: do not sleep.
    bool wakeAt(std::uint64_t seq) noexcept;
    /// Takes the request of wakeAt() back.
    void awake() noexcept;

    /// The longest time the lock was held, in ns: each copy, and a sample of the pushes.
    std::uint64_t longestLockNs() const noexcept;
    std::uint64_t lost() const noexcept;

    std::size_t maxEvents() const noexcept { return max_events_; }
    std::size_t maxOctets() const noexcept { return max_octets_; }

private:
    class Hold;

    std::uint64_t startOf(std::uint64_t seq) const noexcept { return ends_[(seq - 1) & mask_]; }
    std::uint64_t endOf(std::uint64_t seq) const noexcept { return ends_[seq & mask_]; }
    bool takeWake() noexcept;

    const std::size_t max_events_;
    const std::size_t max_octets_;
    const std::uint64_t mask_;               // slots of ends_ - 1; one slot more than events, for startOf(oldest)
    std::unique_ptr<char[]> arena_;          // circular
    std::unique_ptr<std::uint64_t[]> ends_;  // where the entry of a number ends, counted since the beginning

    mutable std::mutex mutex_;  // guards all below, and the contents of the two above
    std::uint64_t oldest_ = 1;
    std::uint64_t newest_ = 0;
    std::uint64_t wake_at_ = 0;  // 0: nobody sleeps
    std::uint64_t lost_ = 0;
    mutable std::uint64_t longest_ns_ = 0;
};

}  // namespace lease_feed
