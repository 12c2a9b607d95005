#include <algorithm>

#include "check.h"
#include "config_pages.h"
#include "feed.h"

using namespace lease_feed;

namespace {

// Of ten octets.
std::string range(char first) {
    std::string encoded;
    encodeReserved(encoded, std::string(3, first), std::string(1, first));
    return encoded;
}

std::string together(const ConfigPages& pages) {
    std::string all;
    for (std::size_t page = 1; page <= pages.count(); ++page) all += pages.page(page);
    return all;
}

void nothingIsOnePage() {
    for (const ConfigPages& pages : {ConfigPages(), ConfigPages("")}) {
        CHECK(pages.count() == 1 && pages.page(1).empty() && pages.leftOut() == 0);
    }
}

void cutsBetweenEntries() {
    const std::string encoded = range('a') + range('b') + range('c') + range('d') + range('e');
    const std::size_t one = range('a').size();
    CHECK(one == 10);
    for (std::size_t octets = 0; octets <= encoded.size() + 1; ++octets) {
        const ConfigPages pages(encoded, octets);
        CHECK(together(pages) == encoded && pages.leftOut() == 0);
        const std::size_t each = std::max<std::size_t>(1, octets / one);
        CHECK(pages.count() == (5 + each - 1) / each);
        for (std::size_t page = 1; page < pages.count(); ++page) CHECK(pages.page(page).size() == each * one);
    }
}

void anEntryIsNeverCut() {
    std::string long_one;
    SubnetView subnet;
    subnet.pools.assign(100, {"aaaa", "bbbb"});
    encodeSubnet(long_one, subnet);
    const std::string encoded = range('a') + long_one + range('b');
    const ConfigPages pages(encoded, 20);
    CHECK(pages.count() == 3 && pages.page(2) == long_one && together(pages) == encoded);
}

void leavesOutWhatIsTooMuch() {
    const std::string encoded = range('a') + range('b') + range('c');
    CHECK(ConfigPages(encoded, 100, 30).leftOut() == 0);
    const ConfigPages pages(encoded, 10, 29);
    CHECK(pages.count() == 2 && pages.leftOut() == 10 && together(pages) == range('a') + range('b'));
    const ConfigPages none(encoded, 10, 9);
    CHECK(none.count() == 1 && none.page(1).empty() && none.leftOut() == 30);
}

void endsAtWhatIsNoField() {
    const std::string whole = range('a');
    for (std::size_t octets = 0; octets < whole.size(); ++octets) {
        const ConfigPages pages(whole + whole.substr(0, octets), 10);
        CHECK(pages.count() == 1 && pages.page(1) == whole && pages.leftOut() == octets);
    }
}

void differsByContentAlone() {
    const std::string encoded = range('a') + range('b');
    CHECK(ConfigPages(encoded, 10) == ConfigPages(encoded, 100));
    CHECK(!(ConfigPages(encoded) == ConfigPages(range('a'))));
}

}  // namespace

int main() {
    return check::run({
        {"has one page of nothing", nothingIsOnePage},
        {"cuts between entries, as late as it may", cutsBetweenEntries},
        {"never cuts an entry", anEntryIsNeverCut},
        {"leaves out what is more than followers are told, and says how much", leavesOutWhatIsTooMuch},
        {"ends where the octets are no field", endsAtWhatIsNoField},
        {"is another one by its content alone", differsByContentAlone},
    });
}
