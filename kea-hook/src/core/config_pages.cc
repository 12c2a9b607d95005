#include "config_pages.h"

#include <protozero/exception.hpp>
#include <protozero/pbf_reader.hpp>

#include <utility>

namespace lease_feed {

ConfigPages::ConfigPages(std::string encoded, std::size_t page_octets, std::size_t most_octets)
    : octets_(std::move(encoded)) {
    ends_.clear();
    std::size_t begin = 0, end = 0;
    try {
        for (protozero::pbf_reader reader{octets_.data(), octets_.size()}; reader.next();) {
            reader.skip();
            const std::size_t next = octets_.size() - reader.length();
            if (next > most_octets) break;
            if (end > begin && next - begin > page_octets) {
                ends_.push_back(end);
                begin = end;
            }
            end = next;
        }
    } catch (const protozero::exception&) {
        // What was read stands.
    }
    ends_.push_back(end);
    left_out_ = octets_.size() - end;
    octets_.resize(end);
}

Octets ConfigPages::page(std::size_t number) const {
    const std::size_t begin = number == 1 ? 0 : ends_[number - 2];
    return Octets(octets_).substr(begin, ends_[number - 1] - begin);
}

}  // namespace lease_feed
