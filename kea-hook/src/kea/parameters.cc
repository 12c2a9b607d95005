#include "kea.h"

#include "parameters.h"

#include "nearest.h"
#include "parameter_table.h"

#include <asiolink/io_address.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <limits>

using isc::asiolink::IOAddress;
using isc::data::ConstElementPtr;
using isc::data::Element;
using isc::data::ElementPtr;

namespace lease_feed {
namespace {

constexpr std::size_t kMaxRequesters = 10000;
constexpr std::size_t kMaxList = 10000;  // values of a list within an entry
constexpr std::int64_t kMaxSubnetId = 0xfffffffeLL;
constexpr std::size_t kMaxText = 4096;
constexpr std::size_t kMaxEndpoint = 100;  // sun_path has 108 octets, and "-sync" comes on top

std::string shown(const ConstElementPtr& value) {
    std::string text = value ? value->str() : "missing";
    if (text.size() > 80) {
        text = text.substr(0, 77) + "...";
    }
    return text;
}

class Parser {
public:
    Parser(Family family, std::vector<ConfigProblem>& problems) : family_(family), problems_(problems) {}

    Config parse(const ConstElementPtr& given) {
        Config config;
        config.service = Element::createMap();
        const ConstElementPtr parameters = given ? given : Element::createMap();
        if (parameters->getType() != Element::map) {
            refuse("parameters", parameters, "a map is wanted");
            return config;
        }
        refuseUnknown("", parameters, kTop);
        config.service->set("requesters", requesters(parameters->get("requesters")));
        config.service->set("advanced", map("advanced", parameters->get("advanced"), kAdvanced));
        config.service->set("tls", map("tls", parameters->get("tls"), kTls));
        config.service->set("history", map("history", parameters->get("history"), kHistory));
        const ConstElementPtr capture = value("", parameters->get(kCapture.name), kCapture);
        if (capture) {
            config.service->set(kCapture.name, capture);
            for (const auto& code : capture->listValue()) {
                if (code->getType() != Element::integer) {
                    continue;  // refused already
                }
                config.captured.push_back(static_cast<std::uint16_t>(code->intValue()));
            }
            std::sort(config.captured.begin(), config.captured.end());
            config.captured.erase(std::unique(config.captured.begin(), config.captured.end()), config.captured.end());
        }
        feed(parameters->get("feed"), config);
        return config;
    }

private:
    void refuse(const std::string& parameter, const ConstElementPtr& value, const std::string& reason) {
        ConfigProblem problem;
        problem.parameter = parameter;
        problem.value = shown(value);
        problem.place = value && value->getPosition().line_ != 0 ? value->getPosition().str() : std::string();
        problem.reason = reason;
        problems_.push_back(problem);
    }

    static std::string placeOf(const std::string& within, const std::string& name) {
        return within.empty() ? name : within + "." + name;
    }

    void refuseUnknown(const std::string& within, const ConstElementPtr& map, const std::vector<std::string>& known) {
        for (const auto& entry : map->mapValue()) {
            if (std::count(known.begin(), known.end(), entry.first) != 0 ||
                std::count(kWithoutEffect.begin(), kWithoutEffect.end(), entry.first) != 0) {
                continue;
            }
            const std::string near = nearest(entry.first, known);
            const std::string name = entry.first.empty() ? "\"\"" : entry.first;  // to be seen in a line
            refuse(placeOf(within, name), entry.second,
                   near.empty() ? "no parameter has this name"
                                : "no parameter has this name; did you mean \"" + near + "\"?");
        }
    }

    static std::vector<std::string> namesOf(const std::vector<Row>& rows) {
        std::vector<std::string> names;
        for (const auto& row : rows) {
            names.push_back(row.name);
        }
        return names;
    }

    ElementPtr map(const std::string& place, const ConstElementPtr& given, const std::vector<Row>& rows,
                   const std::vector<std::string>& more = {}) {
        ElementPtr result = Element::createMap();
        ConstElementPtr from = given ? given : Element::createMap();
        if (from->getType() != Element::map) {
            refuse(place, from, "a map is wanted");
            return result;
        }
        std::vector<std::string> known = namesOf(rows);
        known.insert(known.end(), more.begin(), more.end());
        refuseUnknown(place, from, known);
        for (const auto& row : rows) {
            const ConstElementPtr checked = value(place, from->get(row.name), row);
            if (checked) {
                result->set(row.name, checked);
            }
        }
        return result;
    }

    // The default, or what is given if it may be. Null: nothing to say.
    ConstElementPtr value(const std::string& within, const ConstElementPtr& given, const Row& row) {
        if (!given) {
            return byDefault(row);
        }
        const std::string place = placeOf(within, row.name);
        switch (row.type) {
        case Type::boolean:
            if (given->getType() != Element::boolean) {
                refuse(place, given, "true or false is wanted");
            }
            return given;
        case Type::integer:
            if (given->getType() != Element::integer || given->intValue() < row.least ||
                given->intValue() > row.most) {
                refuse(place, given, "a whole number from " + std::to_string(row.least) + " to " +
                                         std::to_string(row.most) + " is wanted");
            }
            return given;
        case Type::text:
            isText(place, given);
            return given;
        case Type::name:
            if (isText(place, given)) {
                const std::string name = given->stringValue();
                if (name.empty() || name.find_first_of(" \t\r\n") != std::string::npos) {
                    refuse(place, given, "a name without blanks is wanted");
                }
            }
            return given;
        case Type::choice:
            if (isText(place, given) && !isWord(given->stringValue(), row.choices)) {
                refuse(place, given, "one of these is wanted: " + std::string(row.choices));
            }
            return given;
        case Type::network:
            network(place, given);
            return given;
        case Type::addresses:
            return addresses(place, given);
        case Type::codes:
            return eachOf(place, given, [this](const std::string& at, const ConstElementPtr& code) {
                const std::int64_t most = family_ == Family::v4 ? 254 : 65535;
                if (code->getType() != Element::integer || code->intValue() < 1 || code->intValue() > most) {
                    refuse(at, code, "an option code from 1 to " + std::to_string(most) + " is wanted");
                }
            });
        case Type::octets:
            return eachOf(place, given, [this](const std::string& at, const ConstElementPtr& text) {
                if (text->getType() != Element::string || !isOctets(text->stringValue())) {
                    refuse(at, text, "hexadecimal octets, or text in single quotes, are wanted");
                }
            });
        case Type::subnets:
            return eachOf(place, given, [this](const std::string& at, const ConstElementPtr& id) {
                if (id->getType() != Element::integer || id->intValue() < 1 || id->intValue() > kMaxSubnetId) {
                    refuse(at, id, "the id of a subnet, 1 or more, is wanted");
                }
            });
        case Type::queries:
            return eachOf(place, given, [this](const std::string& at, const ConstElementPtr& kind) {
                if (kind->getType() != Element::string || !isWord(kind->stringValue(), "active bulk")) {
                    refuse(at, kind, "one of these is wanted: active bulk");
                }
            });
        }
        return given;
    }

    ConstElementPtr byDefault(const Row& row) const {
        std::string json = row.by_default;
        const std::size_t bar = json.find('|');
        if (bar != std::string::npos) {
            json = family_ == Family::v4 ? json.substr(0, bar) : json.substr(bar + 1);
        }
        return json.empty() ? ConstElementPtr() : ConstElementPtr(Element::fromJSON(json));
    }

    bool isText(const std::string& place, const ConstElementPtr& given) {
        if (given->getType() != Element::string) {
            refuse(place, given, "a string is wanted");
            return false;
        }
        if (given->stringValue().size() > kMaxText) {
            refuse(place, given, std::to_string(given->stringValue().size()) + " characters exceed the " +
                                     std::to_string(kMaxText) + " allowed");
            return false;
        }
        return true;
    }

    static bool isWord(const std::string& word, const std::string& words) {
        return !word.empty() && word.find(' ') == std::string::npos &&
               (" " + words + " ").find(" " + word + " ") != std::string::npos;
    }

    static bool isOctets(const std::string& text) {
        if (text.size() >= 3 && text.front() == '\'' && text.back() == '\'') {
            return true;
        }
        std::size_t i = text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 2 : 0;
        std::size_t digits = 0;
        for (; i < text.size(); ++i) {
            if (text[i] == ':') {
                continue;
            }
            if (!std::isxdigit(static_cast<unsigned char>(text[i]))) {
                return false;
            }
            ++digits;
        }
        return digits > 0 && digits % 2 == 0;
    }

    bool isAddress(const std::string& text) const {
        if (text.find_first_of("% ") != std::string::npos) {
            return false;
        }
        try {
            const IOAddress address(text);
            return family_ == Family::v4 ? address.isV4() : address.isV6();
        } catch (...) {
            return false;
        }
    }

    const char* familyName() const { return family_ == Family::v4 ? "IPv4" : "IPv6"; }

    void network(const std::string& place, const ConstElementPtr& given) {
        if (!isText(place, given)) {
            return;
        }
        const std::string text = given->stringValue();
        const std::size_t slash = text.find('/');
        if (!isAddress(text.substr(0, slash))) {
            refuse(place, given, std::string("an ") + familyName() + " address or network is wanted");
            return;
        }
        if (slash == std::string::npos) {
            return;
        }
        const int longest = family_ == Family::v4 ? 32 : 128;
        const std::string length = text.substr(slash + 1);
        const bool digits = !length.empty() && length.size() <= 3 &&
                            std::all_of(length.begin(), length.end(),
                                        [](unsigned char c) { return std::isdigit(c) != 0; });
        if (!digits || std::stoi(length) > longest) {
            refuse(place, given, "the length of the network must be 0 to " + std::to_string(longest));
        }
    }

    ConstElementPtr addresses(const std::string& place, const ConstElementPtr& given) {
        if (given->getType() == Element::string) {
            if (!isAddress(given->stringValue())) {
                refuse(place, given, std::string("an ") + familyName() + " address is wanted");
            }
            return given;
        }
        std::vector<std::string> seen;
        return eachOf(place, given, [this, &seen](const std::string& at, const ConstElementPtr& address) {
            if (address->getType() != Element::string || !isAddress(address->stringValue())) {
                refuse(at, address, std::string("an ") + familyName() + " address is wanted");
            } else if (std::count(seen.begin(), seen.end(), address->stringValue()) != 0) {
                refuse(at, address, "it stands there twice");
            } else {
                seen.push_back(address->stringValue());
            }
        });
    }

    ConstElementPtr eachOf(const std::string& place, const ConstElementPtr& list,
                           const std::function<void(const std::string&, const ConstElementPtr&)>& check) {
        if (list->getType() != Element::list) {
            refuse(place, list, "a list is wanted");
            return Element::createList();
        }
        if (list->listValue().size() > kMaxList) {
            refuse(place, list, "more than " + std::to_string(kMaxList) + " entries");
            return Element::createList();
        }
        std::size_t i = 0;
        for (const auto& item : list->listValue()) {
            check(place + "[" + std::to_string(i++) + "]", item);
        }
        return list;
    }

    ElementPtr requesters(const ConstElementPtr& given) {
        ElementPtr result = Element::createList();
        if (!given) {
            return result;
        }
        if (given->getType() != Element::list) {
            refuse("requesters", given, "a list is wanted");
            return result;
        }
        if (given->listValue().size() > kMaxRequesters) {
            refuse("requesters", given, "more than " + std::to_string(kMaxRequesters) + " entries");
            return result;
        }
        std::size_t i = 0;
        for (const auto& entry : given->listValue()) {
            const std::string place = "requesters[" + std::to_string(i++) + "]";
            if (entry->getType() == Element::string) {
                network(place, entry);
                result->add(Element::create(entry->stringValue()));
            } else {
                result->add(requester(place, entry));
            }
        }
        return result;
    }

    ElementPtr requester(const std::string& place, const ConstElementPtr& entry) {
        if (entry->getType() != Element::map) {
            refuse(place, entry, "an address, a network, or a map is wanted");
            return Element::createMap();
        }
        ElementPtr result = map(place, entry, kRequester, {"keepalive"});
        if (static_cast<bool>(entry->get("address")) == static_cast<bool>(entry->get("certificate"))) {
            refuse(place, entry, "it needs either \"address\" or \"certificate\"");
        }
        const ConstElementPtr keepalive = map(place + ".keepalive", entry->get("keepalive"), kKeepalive);
        const ConstElementPtr form = keepalive->get("form");
        // A LEASEQUERY-DATA without client data is the only keepalive that DHCPv6 has (RFC 7653 section 8.3).
        if (family_ == Family::v6 && form && form->getType() == Element::string &&
            form->stringValue() == "empty-active") {
            refuse(place + ".keepalive.form", form, "DHCPv6 has one form only, \"status\"");
        }
        result->set("keepalive", keepalive);
        return result;
    }

    void feed(const ConstElementPtr& given, Config& config) {
        const std::size_t before = problems_.size();
        const ElementPtr feed = map("feed", given, kFeed);
        if (problems_.size() != before) {
            return;  // read() below relies on the types
        }
        config.feed.family = family_;
        config.feed.endpoint = feed->get("endpoint")->stringValue();
        config.feed.ring_events = static_cast<std::size_t>(feed->get("ring-size")->intValue());
        config.feed.ring_octets = static_cast<std::size_t>(feed->get("ring-octets")->intValue());
        config.feed.page_share = static_cast<double>(feed->get("walk-share")->intValue()) / 100;
        config.feed.page_leases = static_cast<std::size_t>(feed->get("walk-page")->intValue());
        config.feed.page_slow_ms = static_cast<std::uint32_t>(feed->get("walk-slow")->intValue());
        const ConstElementPtr curve = feed->get("curve-key-file");
        config.feed.curve_secret_key_file = curve ? curve->stringValue() : std::string();
        config.tap = feed->get("tap")->boolValue();
        checkEndpoint(config.feed, feed->get("endpoint"), curve);
    }

    void checkEndpoint(const FeedSettings& settings, const ConstElementPtr& endpoint, const ConstElementPtr& curve) {
        const std::string& text = settings.endpoint;
        if (text.compare(0, 7, "ipc:///") == 0 && text.size() > 7) {
            if (text.size() - 6 > kMaxEndpoint) {
                refuse("feed.endpoint", endpoint, "a path of at most " + std::to_string(kMaxEndpoint) +
                                                      " characters is wanted");
            }
        } else if (text.compare(0, 6, "tcp://") == 0 && text.rfind(':') > 6 && text.rfind(':') + 1 < text.size()) {
            if (!curve) {
                refuse("feed.endpoint", endpoint,
                       "tcp:// needs \"curve-key-file\": leases do not cross a network in the clear");
            }
        } else {
            refuse("feed.endpoint", endpoint, "ipc:// with an absolute path, or tcp://address:port, is wanted");
        }
    }

    Family family_;
    std::vector<ConfigProblem>& problems_;
};

}  // namespace

Config defaultConfig(Family family) {
    std::vector<ConfigProblem> none;
    return parseConfig(family, ConstElementPtr(), none);
}

Config parseConfig(Family family, const ConstElementPtr& parameters, std::vector<ConfigProblem>& problems) {
    return Parser(family, problems).parse(parameters);
}

std::string valueAndPlace(const ConfigProblem& problem) {
    return "value " + problem.value + (problem.place.empty() ? std::string() : " at " + problem.place);
}

}  // namespace lease_feed
