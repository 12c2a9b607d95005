// Field numbers of proto/lease_feed.proto. test/hook-core reads with the .proto file what is written with these.
#pragma once

#include <protozero/types.hpp>

namespace lease_feed {
namespace field {

using Tag = protozero::pbf_tag_type;

namespace lease {
constexpr Tag address = 1, type = 2, prefix_length = 3, state = 4, valid_lifetime = 5, preferred_lifetime = 6,
              cltt = 7, subnet_id = 8, pool_id = 9, iaid = 10, hardware_type = 11, hardware_address = 12,
              client_id = 13, hostname = 14, fqdn_forward = 15, fqdn_reverse = 16, stored_relay = 17;
}
namespace relay_info {
constexpr Tag agent_info = 1, hops = 2, source = 3;
}
namespace relay_hop {
constexpr Tag hop_count = 1, link_address = 2, peer_address = 3, options = 4;
}
namespace packet_data {
constexpr Tag message_type = 1, relay = 2, options = 3;
}
namespace event {
constexpr Tag change = 1, annotation = 2;
}
namespace lease_change {
constexpr Tag operation = 1, lease = 2, origin = 3, packet = 4;
}
namespace annotation {
constexpr Tag address = 1, hardware_address = 2, client_id = 3, hardware_type = 4, origin = 5, packet = 6;
}
namespace feed_message {
constexpr Tag batch = 1, heartbeat = 2;
}
namespace event_batch {
constexpr Tag epoch = 1, first_seq = 2, clock = 3, events = 4;
}
namespace heartbeat {
constexpr Tag epoch = 1, last_seq = 2, oldest_seq = 3, clock = 4, config_generation = 5, resync_generation = 6,
              service_generation = 7, ring_events = 8, overwritten = 9, lost = 10, cut = 11;
}
namespace request {
constexpr Tag id = 1, epoch = 2, hello = 3, replay = 4, page = 5, config = 6, report = 7;
}
namespace reply {
constexpr Tag id = 1, epoch = 2, hello = 3, replay = 4, page = 5, config = 6, report = 7, error = 15;
}
namespace error {
constexpr Tag code = 1, text = 2;
}
namespace hello_request {
constexpr Tag contract_major = 1, contract_minor = 2, follower = 3;
}
namespace hello {
constexpr Tag contract_major = 1, contract_minor = 2, family = 3, kea_version = 4, hook_version = 5, last_seq = 6,
              oldest_seq = 7, clock = 8, server_duid = 9, server_identifiers = 10, service = 11,
              service_generation = 12, config_generation = 13, resync_generation = 14, tap = 15, extended_info = 16;
}
namespace replay_request {
constexpr Tag from_seq = 1, limit = 2;
}
namespace page_request {
constexpr Tag walk = 1, after = 2, limit = 3;
}
namespace page {
constexpr Tag walk = 1, after = 2, stamp = 3, clock = 4, leases = 5, end = 6;
}
namespace config_request {
constexpr Tag page = 1, generation = 2;
}
namespace config {
constexpr Tag generation = 1, subnets = 2, reserved = 3, page = 4, pages = 5;
}
namespace address_range {
constexpr Tag first = 1, last = 2;
}
namespace subnet {
constexpr Tag id = 1, prefix = 2, prefix_length = 3, shared_network = 4, pools = 5, prefix_pools = 6,
              relay_addresses = 7, renew_timer = 8, rebind_timer = 9;
}
namespace pool {
constexpr Tag first = 1, last = 2;
}
namespace prefix_pool {
constexpr Tag prefix = 1, prefix_length = 2, delegated_length = 3;
}
namespace report {
constexpr Tag follower = 1, state = 2, applied_seq = 3, bindings = 4, requestors = 5, problems = 6;
}
namespace problem {
constexpr Tag parameter = 1, text = 2;
}

}  // namespace field
}  // namespace lease_feed
