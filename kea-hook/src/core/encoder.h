// From views to protobuf octets. What runs in Kea's threads encodes into the caller's buffer and allocates nothing.
#pragma once

#include <cstddef>
#include <string>

#include "feed.h"
#include "ring.h"

namespace lease_feed {

/// Where one event is encoded: on the stack of the thread that publishes it.
struct EventBuffer {
    char octets[kMaxEntryOctets];
};

/// How an event came out.
enum class Encoded {
    whole,
    cut,      ///< too long: without packet data, and if need be without stored relay data and host name
    too_long  ///< nothing was encoded: address and client alone do not fit
};

struct EncodedEvent {
    Encoded how = Encoded::too_long;
    Octets entry;  ///< in the buffer: one `events` field of an EventBatch, tag and length included
};

EncodedEvent encodeChange(EventBuffer& buffer, Operation op, const LeaseView& lease, Origin origin,
                          const PacketView* packet) noexcept;
EncodedEvent encodeAnnotation(EventBuffer& buffer, const AnnotationView& annotation) noexcept;

/// Appends one `leases` field of a SnapshotPage. Relay data that makes it longer than kMaxEntryOctets is left out.
void encodePageLease(std::string& leases, const LeaseView& lease);

}  // namespace lease_feed
