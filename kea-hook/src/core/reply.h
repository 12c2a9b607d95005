// What the feed sends: frames of PUB and replies of ROUTER.
#pragma once

#include <cstdint>
#include <string>

#include "feed.h"

namespace lease_feed {

enum class ErrorCode : std::uint32_t {
    wrong_epoch = 1,
    not_in_ring = 2,
    not_ready = 3,
    lease_database = 4,
    bad_request = 5,
    busy = 6,
};

/// Numbers that change when followers should ask again.
struct Generations {
    std::uint64_t config = 0;
    std::uint64_t service = 0;
    std::uint64_t resync = 0;
};

/// What the ring has come to in this epoch, for the metrics of followers.
struct RingReport {
    std::uint64_t events = 0;       ///< most it keeps
    std::uint64_t overwritten = 0;  ///< events that left it before they were published
    std::uint64_t lost = 0;         ///< events that could not be kept at all
    std::uint64_t cut = 0;          ///< events kept without packet data
};

/// Octets that encodeBatch() needs in front of the events.
constexpr std::size_t kBatchHead = 96;

/// Writes FeedMessage{batch} around events that are already in place.
/// @param events begin of the encoded `events` fields; kBatchHead octets before it are overwritten
/// @return the frame, ending where the events end
Octets encodeBatch(char* events, std::size_t octets, Octets epoch, std::uint64_t first_seq, std::uint64_t clock);

std::string encodeHeartbeat(Octets epoch, std::uint64_t last_seq, std::uint64_t oldest_seq, std::uint64_t clock,
                            const Generations& generations, const RingReport& ring);

std::string replyError(std::uint64_t id, Octets epoch, ErrorCode code, Octets text);

std::string replyHello(std::uint64_t id, Octets epoch, Family family, const Identity& identity,
                       std::uint64_t last_seq, std::uint64_t oldest_seq, std::uint64_t clock,
                       const std::string& service, const Generations& generations);

std::string replyReplay(std::uint64_t id, Octets epoch, std::uint64_t first_seq, std::uint64_t clock, Octets events);

struct PageHead {
    std::uint64_t stamp = 0;
    std::uint64_t clock = 0;
    bool end = false;
};
/// @param leases encoded by encodePageLease()
std::string replyPage(std::uint64_t id, Octets epoch, std::uint64_t walk, Octets after, const PageHead& head,
                      Octets leases);

/// @param entries a page of ConfigPages
std::string replyConfig(std::uint64_t id, Octets epoch, std::uint64_t generation, std::size_t page, std::size_t pages,
                        Octets entries);

std::string replyReportAccepted(std::uint64_t id, Octets epoch);

}  // namespace lease_feed
