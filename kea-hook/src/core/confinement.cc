#include "confinement.h"

#include <cerrno>
#include <fstream>

namespace lease_feed {

std::string confinementHint(int error, const std::string& attribute_file) {
    if (error != EACCES && error != EPERM) return {};
    std::ifstream file(attribute_file);
    std::string line;
    // "kea-dhcp4 (enforce)"; "unconfined", or no such file, where AppArmor does not matter
    if (!std::getline(file, line) || line.size() > 256) return {};
    const std::string enforced = " (enforce)";
    if (line.size() <= enforced.size() || line.substr(line.size() - enforced.size()) != enforced) return {};
    return "; AppArmor confines this server by the profile '" + line.substr(0, line.size() - enforced.size()) +
           "', which lacks the rules for the feed: see kea-hook/apparmor/";
}

}  // namespace lease_feed
