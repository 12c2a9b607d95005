#include "endpoint.h"

#include <sys/un.h>

#include <cstddef>

#include "feed.h"

namespace lease_feed {
namespace {

// The longest path that fits into a socket address, its final zero included.
constexpr std::size_t kPathRoom = sizeof(sockaddr_un) - offsetof(sockaddr_un, sun_path);

}  // namespace

Endpoint parseEndpoint(const std::string& text) {
    Endpoint endpoint;
    endpoint.publish = text;
    if (text.rfind("ipc://", 0) == 0) {
        endpoint.kind = Endpoint::Kind::ipc;
        endpoint.path = text.substr(6);
        endpoint.sync = text + "-sync";
        endpoint.sync_path = endpoint.path + "-sync";
        if (endpoint.path.empty() || endpoint.path.front() != '/' || endpoint.path.back() == '/') {
            throw FeedError("feed endpoint '" + text +
                            "': ipc:// needs an absolute path, as in ipc:///run/kea-lease-feed/dhcp4");
        }
        if (endpoint.sync_path.size() >= kPathRoom) {
            throw FeedError("feed endpoint '" + text + "': the path is longer than the " +
                            std::to_string(kPathRoom - 1 - 5) + " octets that a socket's path may have here");
        }
        return endpoint;
    }
    if (text.rfind("tcp://", 0) == 0) {
        endpoint.kind = Endpoint::Kind::tcp;
        const std::size_t colon = text.rfind(':');
        const std::string port = text.substr(colon + 1);
        const bool digits =
            !port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == std::string::npos;
        const unsigned long number = digits ? std::stoul(port) : 0;
        if (colon <= 6 || number < 1 || number > 65534) {
            throw FeedError("feed endpoint '" + text +
                            "': tcp:// needs a host and a port from 1 to 65534, as in tcp://192.0.2.1:5547");
        }
        endpoint.sync = text.substr(0, colon + 1) + std::to_string(number + 1);
        return endpoint;
    }
    throw FeedError("feed endpoint '" + text + "': neither ipc:// nor tcp://");
}

}  // namespace lease_feed
