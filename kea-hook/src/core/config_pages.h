// What followers are told of the configuration, cut into replies of a bounded size.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "lease.h"

namespace lease_feed {

constexpr std::size_t kConfigPageOctets = 256 * 1024;          ///< of a page, but that it holds one entry at least
constexpr std::size_t kMostConfigOctets = 64 * 1024 * 1024;    ///< of all pages together

/// A serialized Config without its generation, cut between its entries.
class ConfigPages {
public:
    ConfigPages() = default;
    /// @param encoded fields of Config, each with its tag; what cannot be read ends it
    explicit ConfigPages(std::string encoded, std::size_t page_octets = kConfigPageOctets,
                         std::size_t most_octets = kMostConfigOctets);

    std::size_t count() const { return ends_.size(); }  ///< at least 1
    /// @param number from 1 to count()
    Octets page(std::size_t number) const;
    std::size_t leftOut() const { return left_out_; }  ///< octets at the end that are on no page

    bool operator==(const ConfigPages& other) const { return octets_ == other.octets_; }

private:
    std::string octets_;
    std::vector<std::size_t> ends_{0};
    std::size_t left_out_ = 0;
};

}  // namespace lease_feed
