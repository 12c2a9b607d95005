// What askers send to the ROUTER socket.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "lease.h"

namespace lease_feed {

/// This contract's version: proto/README.md says when which number changes.
constexpr std::uint32_t kContractMajor = 1;
constexpr std::uint32_t kContractMinor = 2;

struct HelloRequest {
    std::uint32_t contract_major = 0;
    std::uint32_t contract_minor = 0;
    Octets follower;
};
struct ReplayRequest {
    std::uint64_t from_seq = 0;
    std::uint32_t limit = 0;
};
struct PageRequest {
    std::uint64_t walk = 0;
    Octets after;
    std::uint32_t limit = 0;
};
struct ConfigRequest {
    std::uint32_t page = 0;  ///< 0 = all in one message
    std::uint64_t generation = 0;
};
struct ReportRequest {
    Octets follower;
    Octets state;
    std::uint64_t applied_seq = 0;
    std::uint64_t bindings = 0;
    std::uint32_t requestors = 0;
    std::vector<std::pair<Octets, Octets>> problems;  ///< parameter, text; at most kMostProblems
};
constexpr std::size_t kMostProblems = 32;

/// Views into the octets it was decoded from.
struct Request {
    std::uint64_t id = 0;
    Octets epoch;
    std::variant<std::monostate, HelloRequest, ReplayRequest, PageRequest, ConfigRequest, ReportRequest> body;
};

/// The request cannot be read. `id` is that of the request, if at least that could be.
class BadRequest : public std::runtime_error {
public:
    BadRequest(const std::string& what, std::optional<std::uint64_t> of) : std::runtime_error(what), id(of) {}
    std::optional<std::uint64_t> id;
};

/// @throws BadRequest
Request decodeRequest(Octets octets);

}  // namespace lease_feed
