// What may stand in kea.conf for the library: each parameter once, with its type, its default and its bounds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lease_feed {

constexpr std::int64_t kMaxPort = 65535;
constexpr std::int64_t kMaxTimer = 2147483;  // Kea's own bound: milliseconds in a signed 32-bit number
constexpr std::int64_t kTenYears = 10LL * 366 * 86400;

enum class Type { boolean, integer, text, choice, addresses, codes, octets, subnets, network, name, queries };

// One parameter. Everything about it is here, and only here; a test holds the README's table to it.
struct Row {
    const char* name;
    Type type;
    const char* by_default;  // JSON; empty = left out; "4|6" = by family
    std::int64_t least = 0;
    std::int64_t most = 0;
    const char* choices = "";  // for choice: words, one blank between
};

inline const std::vector<Row> kAdvanced = {
    {"bulk-query-enabled", Type::boolean, "false"},
    {"active-query-enabled", Type::boolean, "false"},
    {"lease-query-ip", Type::addresses, ""},
    {"lease-query-tcp-port", Type::integer, "67|547", 1, kMaxPort},
    {"max-requester-connections", Type::integer, "10", 1, 65535},
    {"max-concurrent-queries", Type::integer, "4", 0, 65535},
    {"max-requester-idle-time", Type::integer, "300", 1, kMaxTimer},
    {"active-query-send-timeout", Type::integer, "120", 1, kMaxTimer},
    {"active-query-idle-timeout", Type::integer, "60", 1, kMaxTimer},
    {"active-query-max-lag", Type::integer, "3600", 0, kMaxTimer},
    {"max-feed-silence", Type::integer, "120", 2, kMaxTimer},
};
inline const std::vector<Row> kTls = {
    {"mode", Type::choice, "\"required\"", 0, 0, "required off"},
    {"trust-anchor", Type::text, ""},
    {"cert-file", Type::text, ""},
    {"key-file", Type::text, ""},
};
inline const std::vector<Row> kHistory = {
    {"retention", Type::integer, "604800", 60, kTenYears},
    {"max-ended", Type::integer, "1000000", 0, 0xffffffffLL},
};
inline const std::vector<Row> kRequester = {
    {"address", Type::network, ""},
    {"certificate", Type::name, ""},
    {"queries", Type::queries, "[ \"active\", \"bulk\" ]"},
    {"subnets", Type::subnets, "[ ]"},
    {"relay-ids", Type::octets, "[ ]"},
    {"remote-ids", Type::octets, "[ ]"},
    {"withhold-options", Type::codes, "[ ]"},
    {"relay-data-always", Type::boolean, "false"},
    {"max-connections", Type::integer, "0", 0, 65535},
};
inline const std::vector<Row> kKeepalive = {
    {"interval", Type::integer, "0", 0, kMaxTimer},
    {"form", Type::choice, "\"status\"", 0, 0, "status empty-active"},
};
inline const std::vector<Row> kFeed = {
    {"endpoint", Type::text, "\"ipc:///run/kea-lease-feed/dhcp4\"|\"ipc:///run/kea-lease-feed/dhcp6\""},
    {"ring-size", Type::integer, "65536", 1024, 16777216},
    {"ring-octets", Type::integer, "33554432", 1048576, 1LL << 32},
    {"walk-share", Type::integer, "10", 1, 80},
    {"walk-page", Type::integer, "256", 16, 256},
    {"walk-slow", Type::integer, "50", 1, 10000},
    {"curve-key-file", Type::text, ""},
    {"tap", Type::boolean, "true"},
};
inline const Row kCapture = {"capture-options", Type::codes,
                      "[ 12, 60, 61, 77, 81, 82, 124, 125 ]|[ 15, 16, 17, 37, 38, 39 ]"};

// Kea's lease_query hook knows these too. They have no meaning here and are let pass, so that a copied block works.
inline const std::vector<std::string> kWithoutEffect = {"extended-info-tables-enabled", "max-bulk-query-threads",
                                                 "max-leases-per-fetch", "comment", "user-context"};
inline const std::vector<std::string> kTop = {"requesters", "advanced", "tls", "history", "capture-options", "feed"};

}  // namespace lease_feed
