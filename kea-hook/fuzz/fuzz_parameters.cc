// libFuzzer: whatever stands in the library's parameters is taken or refused with a name for it, by both families; what is
// taken is taken again, and is never a key of the feed's.
#include "../src/kea/kea.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "../src/kea/parameters.h"

using namespace lease_feed;
using isc::data::ConstElementPtr;
using isc::data::Element;

namespace {

void parse(Family family, const ConstElementPtr& given) {
    std::vector<ConfigProblem> problems;
    const Config config = parseConfig(family, given, problems);
    for (const auto& problem : problems) {
        if (problem.parameter.empty() || problem.reason.empty() || problem.value.size() > 80) std::abort();
    }
    if (!config.service || config.service->get("feed")) std::abort();
    if (!problems.empty()) return;
    std::vector<ConfigProblem> again;
    parseConfig(family, Element::fromJSON(config.service->str()), again);
    if (!again.empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ConstElementPtr given;
    try {
        given = Element::fromJSON(std::string(reinterpret_cast<const char*>(data), size));
    } catch (const std::exception&) {
        return 0;  // Kea's own parser refuses it before the library is asked
    }
    parse(Family::v4, given);
    parse(Family::v6, given);
    return 0;
}
