#include "reply.h"

#include <protozero/pbf_writer.hpp>
#include <protozero/varint.hpp>

#include <cstring>

#include "proto_fields.h"
#include "request.h"

namespace lease_feed {
namespace {

using protozero::pbf_writer;

void addNumber(pbf_writer& to, field::Tag tag, std::uint64_t value) {
    if (value != 0) to.add_uint64(tag, value);
}

void addOctets(pbf_writer& to, field::Tag tag, Octets value) {
    if (!value.empty()) to.add_bytes(tag, value.data(), value.size());
}

std::string batchFields(Octets epoch, std::uint64_t first_seq, std::uint64_t clock) {
    std::string head;
    pbf_writer writer{head};
    addOctets(writer, field::event_batch::epoch, epoch);
    addNumber(writer, field::event_batch::first_seq, first_seq);
    addNumber(writer, field::event_batch::clock, clock);
    return head;
}

// Reply{id, epoch, <tag>: body}
std::string reply(std::uint64_t id, Octets epoch, field::Tag tag, Octets body, Octets more = {}) {
    std::string octets;
    octets.reserve(64 + body.size() + more.size());
    pbf_writer writer{octets};
    addNumber(writer, field::reply::id, id);
    addOctets(writer, field::reply::epoch, epoch);
    // Also when it is empty: which field of the oneof is there is the message.
    writer.add_bytes_vectored(tag, body, more);
    return octets;
}

}  // namespace

Octets encodeBatch(char* events, std::size_t octets, Octets epoch, std::uint64_t first_seq, std::uint64_t clock) {
    const std::string fields = batchFields(epoch, first_seq, clock);
    std::string head;
    head.push_back(static_cast<char>(field::feed_message::batch << 3 | 2));
    protozero::write_varint(std::back_inserter(head), fields.size() + octets);
    head += fields;
    char* begin = events - head.size();
    std::memcpy(begin, head.data(), head.size());
    return {begin, head.size() + octets};
}

std::string encodeHeartbeat(Octets epoch, std::uint64_t last_seq, std::uint64_t oldest_seq, std::uint64_t clock,
                            const Generations& generations, const RingReport& ring) {
    std::string octets;
    pbf_writer message{octets};
    {
        pbf_writer beat{message, field::feed_message::heartbeat};
        addOctets(beat, field::heartbeat::epoch, epoch);
        addNumber(beat, field::heartbeat::last_seq, last_seq);
        addNumber(beat, field::heartbeat::oldest_seq, oldest_seq);
        addNumber(beat, field::heartbeat::clock, clock);
        addNumber(beat, field::heartbeat::config_generation, generations.config);
        addNumber(beat, field::heartbeat::resync_generation, generations.resync);
        addNumber(beat, field::heartbeat::service_generation, generations.service);
        addNumber(beat, field::heartbeat::ring_events, ring.events);
        addNumber(beat, field::heartbeat::overwritten, ring.overwritten);
        addNumber(beat, field::heartbeat::lost, ring.lost);
        addNumber(beat, field::heartbeat::cut, ring.cut);
    }
    return octets;
}

std::string replyError(std::uint64_t id, Octets epoch, ErrorCode code, Octets text) {
    std::string body;
    pbf_writer error{body};
    addNumber(error, field::error::code, static_cast<std::uint64_t>(code));
    addOctets(error, field::error::text, text);
    return reply(id, epoch, field::reply::error, body);
}

std::string replyHello(std::uint64_t id, Octets epoch, Family family, const Identity& identity,
                       std::uint64_t last_seq, std::uint64_t oldest_seq, std::uint64_t clock,
                       const std::string& service, const Generations& generations) {
    std::string body;
    pbf_writer hello{body};
    addNumber(hello, field::hello::contract_major, kContractMajor);
    addNumber(hello, field::hello::contract_minor, kContractMinor);
    addNumber(hello, field::hello::family, static_cast<std::uint64_t>(family));
    addOctets(hello, field::hello::kea_version, identity.kea_version);
    addOctets(hello, field::hello::hook_version, identity.hook_version);
    addNumber(hello, field::hello::last_seq, last_seq);
    addNumber(hello, field::hello::oldest_seq, oldest_seq);
    addNumber(hello, field::hello::clock, clock);
    addOctets(hello, field::hello::server_duid, identity.server_duid);
    for (const auto& address : identity.server_identifiers)
        addOctets(hello, field::hello::server_identifiers, address);
    addOctets(hello, field::hello::service, service);
    addNumber(hello, field::hello::service_generation, generations.service);
    addNumber(hello, field::hello::config_generation, generations.config);
    addNumber(hello, field::hello::resync_generation, generations.resync);
    addNumber(hello, field::hello::tap, identity.tap ? 1 : 0);
    addNumber(hello, field::hello::extended_info, identity.extended_info ? 1 : 0);
    return reply(id, epoch, field::reply::hello, body);
}

std::string replyReplay(std::uint64_t id, Octets epoch, std::uint64_t first_seq, std::uint64_t clock, Octets events) {
    return reply(id, epoch, field::reply::replay, batchFields(epoch, first_seq, clock), events);
}

std::string replyPage(std::uint64_t id, Octets epoch, std::uint64_t walk, Octets after, const PageHead& head,
                      Octets leases) {
    std::string body;
    pbf_writer page{body};
    addNumber(page, field::page::walk, walk);
    addOctets(page, field::page::after, after);
    addNumber(page, field::page::stamp, head.stamp);
    addNumber(page, field::page::clock, head.clock);
    addNumber(page, field::page::end, head.end ? 1 : 0);
    return reply(id, epoch, field::reply::page, body, leases);
}

std::string replyConfig(std::uint64_t id, Octets epoch, std::uint64_t generation, std::size_t page, std::size_t pages,
                        Octets entries) {
    std::string body;
    pbf_writer config{body};
    addNumber(config, field::config::generation, generation);
    addNumber(config, field::config::page, page);
    addNumber(config, field::config::pages, pages);
    return reply(id, epoch, field::reply::config, body, entries);
}

std::string replyReportAccepted(std::uint64_t id, Octets epoch) {
    return reply(id, epoch, field::reply::report, {});
}

}  // namespace lease_feed
