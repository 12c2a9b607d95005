// Expected octets are written by hand from proto/lease_feed.proto: tag, length, contents.
#include "check.h"
#include "encoder.h"
#include "epoch.h"
#include "reply.h"

using namespace lease_feed;
using check::hex;

namespace {

void v4Change() {
    const std::string address = hex("c0 00 02 07"), mac = hex("02 00 00 00 00 01"), client = hex("01 02"),
                      agent = hex("01 02 61 62"), options = hex("0c 01 68");
    LeaseView lease;
    lease.address = address;
    lease.valid_lifetime = 3600;
    lease.cltt = 1700000000;
    lease.subnet_id = 7;
    lease.hardware_type = 1;
    lease.hardware_address = mac;
    lease.client_id = client;
    lease.hostname = "h";
    lease.fqdn_forward = true;
    PacketView packet;
    packet.message_type = 3;
    packet.relay.agent_info = agent;
    packet.options = options;
    EventBuffer buffer;
    const EncodedEvent event = encodeChange(buffer, Operation::update, lease, Origin::client, &packet);
    CHECK(event.how == Encoded::whole);
    CHECK(event.entry == hex("22 3d"                    // EventBatch.events
                             "0a 3b"                    // Event.change
                             "08 02"                    // operation UPDATE
                             "12 24"                    // lease
                             "0a 04 c0 00 02 07"        //   address
                             "28 90 1c"                 //   valid_lifetime 3600
                             "38 80 e2 cf aa 06"        //   cltt 1700000000
                             "40 07"                    //   subnet_id
                             "58 01"                    //   hardware_type
                             "62 06 02 00 00 00 00 01"  //   hardware_address
                             "6a 02 01 02"              //   client_id
                             "72 01 68"                 //   hostname
                             "78 01"                    //   fqdn_forward
                             "18 01"                    // origin CLIENT
                             "22 0f"                    // packet
                             "08 03"                    //   message_type
                             "12 06 0a 04 01 02 61 62"  //   relay: agent_info
                             "1a 03 0c 01 68"));        //   options
}

void v6PrefixChange() {
    const std::string prefix = hex("20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 00"), duid = hex("00 03 00 01 aa");
    const std::string link = hex("20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01"),
                      peer = hex("fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 02"), options = hex("00 12 00 01 78");
    std::string hops;
    encodeRelayHop(hops, 1, link, peer, options);
    LeaseView lease;
    lease.address = prefix;
    lease.type = LeaseType::prefix;
    lease.prefix_length = 56;
    lease.state = 2;
    lease.client_id = duid;
    lease.iaid = 300;
    lease.stored_relay.encoded_hops = hops;
    PacketView packet;
    packet.relay.encoded_hops = hops;
    packet.relay.source = link;
    EventBuffer buffer;
    const EncodedEvent event = encodeChange(buffer, Operation::remove, lease, Origin::reclamation, &packet);
    const std::string hop = "12 2d 08 01 12 10 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01"
                            "1a 10 fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 02 22 05 00 12 00 01 78";
    CHECK(hops == hex(hop));
    CHECK(event.entry == hex("22 a2 01 0a 9f 01 08 03 12 54"
                             "0a 10 20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 00"
                             "10 01 18 38 20 02 50 ac 02 6a 05 00 03 00 01 aa"
                             "8a 01 2f" +
                             hop +    // stored_relay, field 17
                             "18 02"  // origin RECLAMATION
                             "22 43 12 41" +
                             hop +  // packet, relay
                             "1a 10 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01"));
}

void packetThatSaidNothing() {
    LeaseView lease;
    lease.address = "abcd";
    EventBuffer buffer;
    const PacketView nothing;
    CHECK(encodeChange(buffer, Operation::add, lease, Origin::unknown, &nothing).entry ==
          hex("22 0e 0a 0c 08 01 12 06 0a 04 61 62 63 64 22 00"));
    CHECK(encodeChange(buffer, Operation::add, lease, Origin::unknown, nullptr).entry ==
          hex("22 0c 0a 0a 08 01 12 06 0a 04 61 62 63 64"));
}

void annotation() {
    const std::string mac = hex("02 01");
    AnnotationView view;
    view.address = "abcd";
    view.hardware_address = mac;
    view.client_id = "c";
    view.hardware_type = 1;
    view.origin = Origin::partner;
    EventBuffer buffer;
    CHECK(encodeAnnotation(buffer, view).entry ==
          hex("22 13 12 11 0a 04 61 62 63 64 12 02 02 01 1a 01 63 20 01 28 04"));
}

void cutsWhatIsTooLong() {
    LeaseView lease;
    lease.address = "abcd";
    lease.client_id = "client";
    const std::string large(kMaxEntryOctets, 'x');
    PacketView packet;
    packet.options = large;
    EventBuffer buffer;
    EncodedEvent event = encodeChange(buffer, Operation::add, lease, Origin::client, &packet);
    CHECK(event.how == Encoded::cut);
    const std::string without =
        std::string(encodeChange(buffer, Operation::add, lease, Origin::client, nullptr).entry);
    event = encodeChange(buffer, Operation::add, lease, Origin::client, &packet);
    CHECK(event.entry == without);
    lease.stored_relay.agent_info = large;
    event = encodeChange(buffer, Operation::add, lease, Origin::client, &packet);
    CHECK(event.how == Encoded::cut && event.entry == without);
    lease.client_id = large;
    event = encodeChange(buffer, Operation::add, lease, Origin::client, nullptr);
    CHECK(event.how == Encoded::too_long && event.entry.empty());
    AnnotationView about;
    about.address = "abcd";
    about.packet = &packet;
    CHECK(encodeAnnotation(buffer, about).how == Encoded::cut);
    about.client_id = large;
    CHECK(encodeAnnotation(buffer, about).how == Encoded::too_long);
}

void everyLengthFitsTheBuffer() {
    EventBuffer buffer;
    for (std::size_t octets = kMaxEntryOctets - 600; octets < kMaxEntryOctets + 10; ++octets) {
        const std::string text(octets, 'x');
        LeaseView lease;
        lease.address = "0123456789abcdef";
        lease.prefix_length = 128;
        lease.state = lease.valid_lifetime = lease.preferred_lifetime = lease.subnet_id = lease.pool_id = lease.iaid =
            lease.hardware_type = 0xffffffff;
        lease.cltt = ~std::uint64_t{0};
        lease.fqdn_forward = lease.fqdn_reverse = true;
        lease.type = LeaseType::prefix;
        PacketView packet;
        packet.message_type = 0xffffffff;
        packet.relay.agent_info = Octets(text).substr(0, octets / 2);
        packet.options = Octets(text).substr(octets / 2);
        const EncodedEvent event = encodeChange(buffer, Operation::update, lease, Origin::client, &packet);
        CHECK(event.entry.size() <= kMaxEntryOctets && !event.entry.empty());
        lease.client_id = text;
        const EncodedEvent long_client = encodeChange(buffer, Operation::update, lease, Origin::client, nullptr);
        CHECK(long_client.entry.size() <= kMaxEntryOctets);
        CHECK(long_client.entry.empty() == (long_client.how == Encoded::too_long));
    }
}

void batchAndHeartbeat() {
    std::string room(kBatchHead, '\0');
    const std::string events = hex("22 02 0a 00");
    room += events;
    const Octets frame = encodeBatch(&room[kBatchHead], events.size(), "0123456789abcdef", 300, 5);
    CHECK(frame == hex("0a 1b 0a 10 30313233343536373839616263646566 10 ac 02 18 05 22 02 0a 00"));
    Generations generations;
    generations.config = 1;
    generations.service = 2;
    generations.resync = 3;
    CHECK(encodeHeartbeat("0123456789abcdef", 9, 4, 5, generations, {}) ==
          hex("12 1e 0a 10 30313233343536373839616263646566 10 09 18 04 20 05 28 01 30 03 38 02"));
    CHECK(encodeHeartbeat("0123456789abcdef", 9, 4, 5, generations, {6, 7, 8, 10}) ==
          hex("12 26 0a 10 30313233343536373839616263646566 10 09 18 04 20 05 28 01 30 03 38 02 40 06 48 07 50 08 58 0a"));
    CHECK(replyReportAccepted(5, "e") == hex("08 05 12 01 65 3a 00"));
    CHECK(replyError(5, "e", ErrorCode::busy, "b") == hex("08 05 12 01 65 7a 05 08 06 12 01 62"));
}

void epochs() {
    const std::string one = newEpoch(), two = newEpoch();
    CHECK(one.size() == 16 && two.size() == 16);
    CHECK(one.substr(0, 8) <= two.substr(0, 8));
    CHECK(one.substr(8) != two.substr(8));
    CHECK(toHex("\x01\xfe") == "01fe");
}

void subnets() {
    SubnetView subnet;
    subnet.id = 1;
    subnet.prefix = "abcd";
    subnet.prefix_length = 24;
    subnet.pools.push_back({"abc0", "abc9"});
    subnet.prefix_pools.push_back({"p", 48, 56});
    subnet.relay_addresses.push_back("rrrr");
    std::string config;
    encodeSubnet(config, subnet);
    CHECK(config == hex("12 27 08 01 12 04 61626364 18 18 2a 0c 0a 04 61626330 12 04 61626339"
                        "32 07 0a 01 70 10 30 18 38 3a 04 72727272"));
    config.clear();
    encodeReserved(config, "abc0", "abc9");
    CHECK(config == hex("1a 0c 0a 04 61626330 12 04 61626339"));
}

void configPages() {
    CHECK(replyConfig(5, "e", 7, 2, 3, hex("1a 00")) == hex("08 05 12 01 65 32 08 08 07 20 02 28 03 1a 00"));
}

}  // namespace

int main() {
    return check::run({
        {"encodes a DHCPv4 change with packet data", v4Change},
        {"encodes a delegated prefix with stored and packet relay data", v6PrefixChange},
        {"tells a packet that said nothing from no packet", packetThatSaidNothing},
        {"encodes an annotation", annotation},
        {"leaves out packet data, then stored relay data, where an event is too long", cutsWhatIsTooLong},
        {"never writes past the buffer, whatever the lengths", everyLengthFitsTheBuffer},
        {"frames batches, heartbeats and empty replies", batchAndHeartbeat},
        {"makes epochs that differ and tell which is newer", epochs},
        {"encodes a subnet with pools, and a reserved range", subnets},
        {"says which page of the configuration it is", configPages},
    });
}
