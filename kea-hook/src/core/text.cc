#include "text.h"

namespace lease_feed {
namespace {

// Length of the well-formed UTF-8 sequence at the beginning, 0 for none (RFC 3629 section 4).
std::size_t sequenceLength(Octets text) {
    const auto at = [&text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = at(0);
    if (lead < 0x80) return 1;
    std::size_t length = 0;
    unsigned char low = 0x80, high = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) length = 2;
    else if (lead >= 0xe0 && lead <= 0xef) {
        length = 3;
        if (lead == 0xe0) low = 0xa0;
        if (lead == 0xed) high = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
        length = 4;
        if (lead == 0xf0) low = 0x90;
        if (lead == 0xf4) high = 0x8f;
    }
    if (length == 0 || text.size() < length) return 0;
    if (at(1) < low || at(1) > high) return 0;
    for (std::size_t i = 2; i < length; ++i) {
        if (at(i) < 0x80 || at(i) > 0xbf) return 0;
    }
    return length;
}

}  // namespace

std::string cleanText(Octets text, std::size_t most) {
    std::string clean;
    while (!text.empty()) {
        const std::size_t length = sequenceLength(text);
        const auto lead = static_cast<unsigned char>(text[0]);
        // C1 controls are two octets in UTF-8: c2 80 to c2 9f.
        const bool control = lead < 0x20 || lead == 0x7f ||
                             (length == 2 && lead == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0);
        const std::size_t step = length == 0 ? 1 : length;
        const Octets piece = length == 0 || control ? Octets("?") : text.substr(0, step);
        if (clean.size() + piece.size() > most) break;
        clean.append(piece);
        text.remove_prefix(step);
    }
    return clean;
}

}  // namespace lease_feed
