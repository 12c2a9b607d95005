#include "kea.h"

#include "lease_commands.h"

using isc::data::ConstElementPtr;
using isc::data::Element;

namespace lease_feed {
namespace {

bool endsWith(const std::string& text, const std::string& end) {
    return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

bool startsWith(const std::string& text, const std::string& begin) {
    return text.compare(0, begin.size(), begin) == 0;
}

void addAddress(std::vector<AddressOctets>& to, const ConstElementPtr& map) {
    if (!map || map->getType() != Element::map) {
        return;
    }
    const ConstElementPtr address = map->get("ip-address");
    if (address && address->getType() == Element::string) {
        to.emplace_back(isc::asiolink::IOAddress(address->stringValue()));
    }
}

bool isMap(const ConstElementPtr& element) {
    return element && element->getType() == Element::map;
}

}  // namespace

bool writesLeases(const std::string& command) {
    return (startsWith(command, "lease4-") || startsWith(command, "lease6-")) &&
           (endsWith(command, "-add") || endsWith(command, "-update") || endsWith(command, "-del") ||
            endsWith(command, "-wipe") || endsWith(command, "-bulk-apply"));
}

bool wipesLeases(const std::string& command) {
    return writesLeases(command) && endsWith(command, "-wipe");
}

bool changesConfig(const std::string& command) {
    return startsWith(command, "subnet4-") || startsWith(command, "subnet6-") || startsWith(command, "network4-") ||
           startsWith(command, "network6-") || startsWith(command, "reservation-");
}

std::vector<AddressOctets> addressesOf(const ConstElementPtr& arguments) {
    std::vector<AddressOctets> addresses;
    if (!arguments || arguments->getType() != Element::map) {
        return addresses;
    }
    addAddress(addresses, arguments);
    for (const char* name : {"leases", "deleted-leases"}) {
        const ConstElementPtr list = arguments->get(name);
        if (list && list->getType() == Element::list) {
            for (const auto& lease : list->listValue()) {
                addAddress(addresses, lease);
            }
        }
    }
    return addresses;
}

bool saysPartner(const ConstElementPtr& arguments) {
    const ConstElementPtr sender = isMap(arguments) ? arguments->get("origin") : ConstElementPtr();
    return sender && sender->getType() == Element::string && sender->stringValue() == "ha-partner";
}

bool isDone(const ConstElementPtr& response) {
    if (!isMap(response)) {
        return false;
    }
    const ConstElementPtr result = response->get("result");
    const ConstElementPtr arguments = response->get("arguments");
    return result && result->getType() == Element::integer && result->intValue() == 0 &&
           !(isMap(arguments) && arguments->contains("failed-leases"));
}

}  // namespace lease_feed
