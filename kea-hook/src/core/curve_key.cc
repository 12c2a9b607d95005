#include "curve_key.h"

#include <sys/stat.h>
#include <zmq.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>

#include "feed.h"

namespace lease_feed {
namespace {

constexpr std::size_t kZ85Key = 40;
constexpr int kMostLines = 1000;

std::string quoted(const std::string& line) {
    const std::size_t open = line.find('"', line.find('='));
    const std::size_t close = line.rfind('"');
    return open == std::string::npos || close <= open ? std::string() : line.substr(open + 1, close - open - 1);
}

}  // namespace

CurveKeys readCurveKeys(const std::string& path) {
    const auto fail = [&path](const std::string& what) { throw FeedError("CURVE key file '" + path + "': " + what); };

    struct stat about{};
    if (::stat(path.c_str(), &about) != 0) fail(std::strerror(errno));
    if ((about.st_mode & S_IRWXO) != 0) fail("may be read by everybody; it must be closed to others (chmod o=)");

    std::ifstream file(path);
    if (!file) fail(std::strerror(errno));
    CurveKeys keys;
    std::string line;
    for (int number = 1; std::getline(file, line); ++number) {
        if (number > kMostLines) fail("more than " + std::to_string(kMostLines) + " lines");
        const std::size_t start = line.find_first_not_of(" \t");
        if (start == std::string::npos || line[start] == '#') continue;
        const std::string rest = line.substr(start);
        std::string* single = nullptr;
        if (rest.rfind("public-key", 0) == 0) single = &keys.public_key;
        else if (rest.rfind("secret-key", 0) == 0) single = &keys.secret_key;
        else if (rest.rfind("client-key", 0) != 0) continue;  // a certificate's other lines are no concern of ours
        const std::string key = quoted(rest);
        std::uint8_t decoded[32];
        if (key.size() != kZ85Key || zmq_z85_decode(decoded, key.c_str()) == nullptr) {
            fail("line " + std::to_string(number) + " has no key of 40 Z85 characters in quotes");
        }
        if (single != nullptr) *single = key;
        else keys.client_keys.push_back(key);
    }
    if (keys.secret_key.empty()) fail("has no secret-key");
    if (keys.client_keys.empty()) fail("names no client-key, so nobody could follow");
    return keys;
}

}  // namespace lease_feed
