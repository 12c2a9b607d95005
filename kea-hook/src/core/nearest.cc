#include "nearest.h"

#include <algorithm>
#include <cstddef>

namespace lease_feed {
namespace {

std::size_t distance(const std::string& a, const std::string& b) {
    std::vector<std::size_t> above(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) {
        above[j] = j;
    }
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::vector<std::size_t> row{i};
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row.push_back(std::min({replaced, above[j] + 1, row[j - 1] + 1}));
        }
        above = row;
    }
    return above[b.size()];
}

}  // namespace

std::string nearest(const std::string& name, const std::vector<std::string>& known) {
    std::string best;
    std::size_t least = std::max<std::size_t>(2, name.size() / 3) + 1;
    for (const auto& candidate : known) {
        const std::size_t d = distance(name.substr(0, 64), candidate);
        if (d < least) {
            best = candidate;
            least = d;
        }
    }
    return best;
}

}  // namespace lease_feed
