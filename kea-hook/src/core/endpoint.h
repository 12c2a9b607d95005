// Where a feed is published, as kea.conf says it.
#pragma once

#include <string>

namespace lease_feed {

struct Endpoint {
    enum class Kind { ipc, tcp };
    Kind kind = Kind::ipc;
    std::string publish;  ///< for the PUB socket
    std::string sync;     ///< for the ROUTER socket
    std::string path;     ///< ipc: the PUB socket's file; ROUTER's is this plus "-sync"
    std::string sync_path;
};

/// ipc:///absolute/path, or tcp://host:port (ROUTER at the next port).
/// @throws FeedError naming what is wrong
Endpoint parseEndpoint(const std::string& text);

}  // namespace lease_feed
