#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <random>

#include "check.h"
#include "confinement.h"
#include "request.h"
#include "text.h"

using namespace lease_feed;
using check::hex;

namespace {

void readsEach() {
    // Views: the octets must outlive the request.
    const std::string hello_octets = hex("08 05 1a 08 08 01 10 02 1a 02 61 62");
    Request request = decodeRequest(hello_octets);
    CHECK(request.id == 5 && request.epoch.empty());
    const auto* hello = std::get_if<HelloRequest>(&request.body);
    CHECK(hello != nullptr && hello->contract_major == 1 && hello->contract_minor == 2 && hello->follower == "ab");

    const std::string replay_octets = hex("08 06 12 01 65 22 04 08 07 10 08");
    request = decodeRequest(replay_octets);
    const auto* replay = std::get_if<ReplayRequest>(&request.body);
    CHECK(request.epoch == "e" && replay != nullptr && replay->from_seq == 7 && replay->limit == 8);

    const std::string page_octets = hex("2a 0a 08 09 12 04 61626364 18 0a 08 07");  // id last
    request = decodeRequest(page_octets);
    const auto* page = std::get_if<PageRequest>(&request.body);
    CHECK(request.id == 7 && page != nullptr && page->walk == 9 && page->after == "abcd" && page->limit == 10);

    request = decodeRequest(hex("08 01 32 00"));
    const auto* config = std::get_if<ConfigRequest>(&request.body);
    CHECK(config != nullptr && config->page == 0 && config->generation == 0);
    request = decodeRequest(hex("08 01 32 05 08 02 10 ac 02"));
    config = std::get_if<ConfigRequest>(&request.body);
    CHECK(config != nullptr && config->page == 2 && config->generation == 300);

    const std::string report_octets =
        hex("08 01 3a 15 0a 01 66 12 01 73 18 01 20 02 28 03 32 07 0a 01 70 12 02 74 74");
    request = decodeRequest(report_octets);
    const auto* report = std::get_if<ReportRequest>(&request.body);
    CHECK(report != nullptr && report->follower == "f" && report->state == "s" && report->applied_seq == 1 &&
          report->bindings == 2 && report->requestors == 3);
    CHECK(report != nullptr && report->problems.size() == 1 && report->problems[0].first == "p" &&
          report->problems[0].second == "tt");
}

void refusesWithTheId() {
    const auto idOf = [](const std::string& octets) -> int {
        try {
            decodeRequest(octets);
        } catch (const BadRequest& bad) {
            return bad.id ? static_cast<int>(*bad.id) : -1;
        }
        return -2;
    };
    CHECK(idOf(hex("08 05")) == 5);                  // no body
    CHECK(idOf(hex("08 05 f2 07 00")) == 5);         // a body of a later contract
    CHECK(idOf(hex("08 05 22 04 08")) == 5);         // cut off
    CHECK(idOf(hex("08 05 22 02 08 ff")) == 5);      // body cut off inside
    CHECK(idOf(hex("08 05 20 07")) == 5);            // replay with another wire type: unknown field
    CHECK(idOf(hex("0a 01 78 22 02 08 01")) == -2);  // id with another wire type: ignored, id 0
    CHECK(idOf("") == -1);
    CHECK(idOf(hex("ff ff ff ff")) == -1);
    CHECK(idOf(hex("07 07")) == -1);
}

void keepsABoundedNumberOfProblems() {
    std::string report;
    for (int i = 0; i < 100; ++i) report += hex("32 03 12 01 74");
    std::string frame = hex("08 01 3a");
    frame.push_back(static_cast<char>(0x80 | (report.size() & 0x7f)));
    frame.push_back(static_cast<char>(report.size() >> 7));
    frame += report;
    const Request request = decodeRequest(frame);
    CHECK(std::get<ReportRequest>(request.body).problems.size() == kMostProblems);
}

void survivesAnyOctets() {
    std::mt19937_64 random(20261121);
    const std::string seeds[] = {hex("08 05 1a 08 08 01 10 02 1a 02 61 62"), hex("08 06 12 01 65 22 04 08 07 10 08"),
                                 hex("08 07 2a 0a 08 09 12 04 61626364 18 0a"),
                                 hex("08 01 3a 15 0a 01 66 12 01 73 18 01 20 02 28 03 32 07 0a 01 70 12 02 74 74")};
    int decoded = 0, refused = 0;
    for (int round = 0; round < 200000; ++round) {
        std::string octets = seeds[random() % 4];
        const int changes = static_cast<int>(random() % 4);
        for (int i = 0; i < changes; ++i) octets[random() % octets.size()] = static_cast<char>(random());
        if (random() % 4 == 0) octets.resize(random() % (octets.size() + 1));
        try {
            decodeRequest(octets);
            ++decoded;
        } catch (const BadRequest&) {
            ++refused;
        }
    }
    CHECK(decoded > 1000 && refused > 1000);
}

void cleansText() {
    CHECK(cleanText("plain text", 100) == "plain text");
    CHECK(cleanText("line\nbreak\x1b[31m\x7f", 100) == "line?break?[31m?");
    CHECK(cleanText("gr\xc3\xbc\xc3\x9f", 100) == "gr\xc3\xbc\xc3\x9f");
    CHECK(cleanText("\xc2\x85", 100) == "?");        // C1 control
    CHECK(cleanText("\xc0\xaf\xff", 100) == "???");  // overlong, and no UTF-8 at all
    CHECK(cleanText("\xed\xa0\x80", 100) == "???");  // surrogate
    CHECK(cleanText("\xe2\x82", 100) == "??");       // cut off
    CHECK(cleanText("abcdef", 3) == "abc");
    CHECK(cleanText("ab\xc3\xbc", 3) == "ab");  // never half a character
}

void namesTheProfileThatRefuses() {
    const std::string path = "confinement-" + std::to_string(::getpid());
    std::ofstream(path) << "kea-dhcp4 (enforce)\n";
    CHECK(confinementHint(EACCES, path).find("'kea-dhcp4'") != std::string::npos);
    CHECK(confinementHint(ENOENT, path).empty());
    std::ofstream(path) << "unconfined\n";
    CHECK(confinementHint(EACCES, path).empty());
    std::remove(path.c_str());
    CHECK(confinementHint(EACCES, path).empty());
}

}  // namespace

int main() {
    return check::run({
        {"reads each kind of request", readsEach},
        {"refuses what it cannot read, with the id where there is one", refusesWithTheId},
        {"keeps a bounded number of problems of a report", keepsABoundedNumberOfProblems},
        {"survives any octets", survivesAnyOctets},
        {"cleans text of peers for the log", cleansText},
        {"names AppArmor's profile where it refuses", namesTheProfileThatRefuses},
    });
}
