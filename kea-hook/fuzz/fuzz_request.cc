// libFuzzer: whatever comes in at the ROUTER socket is a request or a BadRequest, and its text is fit for the log.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <variant>

#include "request.h"
#include "text.h"

using namespace lease_feed;

namespace {

bool isClean(const std::string& text) {
    if (text.size() > 64) return false;
    for (const char c : text) {
        if (static_cast<unsigned char>(c) < 0x20) return false;
    }
    return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // A copy of its own, so that a read beyond the end is seen.
    const std::string octets(reinterpret_cast<const char*>(data), size);
    try {
        const Request request = decodeRequest(Octets(octets.data(), octets.size()));
        if (const auto* report = std::get_if<ReportRequest>(&request.body)) {
            if (report->problems.size() > kMostProblems) std::abort();
            for (const auto& [parameter, text] : report->problems) {
                if (!isClean(cleanText(parameter, 64)) || !isClean(cleanText(text, 64))) std::abort();
            }
        }
        if (const auto* hello = std::get_if<HelloRequest>(&request.body)) {
            if (!isClean(cleanText(hello->follower, 64))) std::abort();
        }
    } catch (const BadRequest&) {
    }
    return 0;
}
