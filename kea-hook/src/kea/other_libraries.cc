#include "kea.h"

#include "other_libraries.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

using isc::data::ConstElementPtr;
using isc::dhcp::ConstSrvConfigPtr;

namespace lease_feed {
namespace {

// Kea's own that never park, and this one. Of any other library it is not known.
constexpr std::array kNeverPark{
    "lease_feed", "bootp",      "cb_cmds",   "class_cmds", "ddns_tuning", "flex_id",  "flex_option",
    "host_cache", "host_cmds",  "lease_cmds", "lease_query", "legal_log",  "limits",   "mysql",
    "mysql_cb",   "perfmon",    "pgsql",     "pgsql_cb",   "run_script",  "stat_cmds", "subnet_cmds",
};

// A library of the configuration is a pair in Kea 2.6, a struct later.
inline const std::string& nameOf(const std::pair<std::string, ConstElementPtr>& library) {
    return library.first;
}

template <typename Library>
auto nameOf(const Library& library) -> decltype((library.libname_)) {
    return library.libname_;
}

// "ha" of ".../libdhcp_ha.so"; "" where it is not named so.
std::string shortNameOf(const std::string& path) {
    static const std::string prefix = "libdhcp_";
    const std::string file = path.substr(path.rfind('/') + 1);
    return file.compare(0, prefix.size(), prefix) == 0
               ? file.substr(prefix.size(), file.find('.') - prefix.size())
               : std::string();
}

}  // namespace

bool isHighlyAvailable(const ConstSrvConfigPtr& config) {
    const auto& libraries = config->getHooksConfig().get();
    return std::any_of(libraries.begin(), libraries.end(),
                       [](const auto& library) { return shortNameOf(nameOf(library)) == "ha"; });
}

bool othersMayPark(const ConstSrvConfigPtr& config) {
    const auto& libraries = config->getHooksConfig().get();
    return std::any_of(libraries.begin(), libraries.end(), [](const auto& library) {
        const std::string name = shortNameOf(nameOf(library));
        return std::find(kNeverPark.begin(), kNeverPark.end(), name) == kNeverPark.end();
    });
}

}  // namespace lease_feed
