#include "kea.h"

#include "other_libraries.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

using isc::data::ConstElementPtr;
using isc::data::Element;
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

inline const ConstElementPtr& parametersOf(const std::pair<std::string, ConstElementPtr>& library) {
    return library.second;
}

template <typename Library>
auto parametersOf(const Library& library) -> decltype((library.parameters_)) {
    return library.parameters_;
}

bool isOff(const ConstElementPtr& map, const char* name) {
    const ConstElementPtr value = map && map->getType() == Element::map ? map->get(name) : ConstElementPtr();
    return value && value->getType() == Element::boolean && !value->boolValue();
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

HighAvailability highAvailabilityOf(const ConstSrvConfigPtr& config) {
    HighAvailability result;
    for (const auto& library : config->getHooksConfig().get()) {
        if (shortNameOf(nameOf(library)) != "ha") {
            continue;
        }
        result.loaded = true;
        // Both are true where they are not given.
        result.own_threads = !isOff(config->getDHCPMultiThreading(), "enable-multi-threading");
        const ConstElementPtr parameters = parametersOf(library);
        if (!parameters || parameters->getType() != Element::map) {
            continue;
        }
        const ConstElementPtr relations = parameters->get("high-availability");
        if (!relations || relations->getType() != Element::list) {
            continue;
        }
        for (const auto& relation : relations->listValue()) {
            const ConstElementPtr threads =
                relation->getType() == Element::map ? relation->get("multi-threading") : ConstElementPtr();
            if (isOff(threads, "enable-multi-threading") || isOff(threads, "http-dedicated-listener")) {
                result.own_threads = false;
            }
        }
    }
    return result;
}

bool othersMayPark(const ConstSrvConfigPtr& config) {
    const auto& libraries = config->getHooksConfig().get();
    return std::any_of(libraries.begin(), libraries.end(), [](const auto& library) {
        const std::string name = shortNameOf(nameOf(library));
        return std::find(kNeverPark.begin(), kNeverPark.end(), name) == kNeverPark.end();
    });
}

}  // namespace lease_feed
