#include "epoch.h"

#include <random>

#include "clock.h"

namespace lease_feed {

std::string newEpoch() {
    std::string epoch;
    const std::uint64_t start = wallClockMs();
    for (int shift = 56; shift >= 0; shift -= 8) epoch.push_back(static_cast<char>(start >> shift));
    std::random_device random;  // getrandom() or /dev/urandom
    for (int i = 0; i < 2; ++i) {
        const std::uint32_t word = random();
        for (int shift = 24; shift >= 0; shift -= 8) epoch.push_back(static_cast<char>(word >> shift));
    }
    return epoch;
}

std::string toHex(Octets octets) {
    static const char digits[] = "0123456789abcdef";
    std::string text;
    for (const char c : octets) {
        const auto octet = static_cast<unsigned char>(c);
        text.push_back(digits[octet >> 4]);
        text.push_back(digits[octet & 15]);
    }
    return text;
}

}  // namespace lease_feed
