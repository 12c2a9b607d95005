#include "convert.h"

#include <protozero/pbf_reader.hpp>

#include "proto_fields.h"

namespace lease_feed {
namespace {

std::string octetsOf(const Napi::Object& object, const char* name) {
    const Napi::Value value = object.Get(name);
    return value.IsUndefined() || value.IsNull() ? std::string() : octetsFrom(value, name);
}

std::uint32_t uint32Of(const Napi::Object& object, const char* name) {
    return static_cast<std::uint32_t>(numberFrom(object, name, 0));
}

struct OwnedRelay {
    std::string agent_info, hops, source;
};

OwnedRelay relayFrom(const Napi::Object& object, const char* name) {
    OwnedRelay relay;
    const Napi::Value value = object.Get(name);
    if (!value.IsObject()) return relay;
    const Napi::Object given = value.As<Napi::Object>();
    relay.agent_info = octetsOf(given, "agentInfo");
    relay.source = octetsOf(given, "source");
    const Napi::Value hops = given.Get("hops");
    if (hops.IsArray()) {
        const Napi::Array list = hops.As<Napi::Array>();
        for (std::uint32_t i = 0; i < list.Length(); ++i) {
            const Napi::Object hop = Napi::Value(list[i]).As<Napi::Object>();
            encodeRelayHop(relay.hops, uint32Of(hop, "hopCount"), octetsOf(hop, "linkAddress"),
                           octetsOf(hop, "peerAddress"), octetsOf(hop, "options"));
        }
    }
    return relay;
}

Napi::Value octetsTo(Napi::Env env, Octets octets) {
    return Napi::Buffer<char>::Copy(env, octets.data(), octets.size());
}

Napi::Value relayTo(Napi::Env env, const RelayView& relay) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("agentInfo", octetsTo(env, relay.agent_info));
    Napi::Array hops = Napi::Array::New(env);
    protozero::pbf_reader reader{relay.encoded_hops.data(), relay.encoded_hops.size()};
    while (reader.next(field::relay_info::hops)) {
        protozero::pbf_reader from = reader.get_message();
        Napi::Object hop = Napi::Object::New(env);
        hop.Set("hopCount", 0);
        hop.Set("options", octetsTo(env, {}));
        while (from.next()) {
            const char* name = "options";
            switch (from.tag()) {
            case field::relay_hop::hop_count: hop.Set("hopCount", from.get_uint32()); continue;
            case field::relay_hop::link_address: name = "linkAddress"; break;
            case field::relay_hop::peer_address: name = "peerAddress"; break;
            default: break;
            }
            const auto view = from.get_view();
            hop.Set(name, octetsTo(env, {view.data(), view.size()}));
        }
        hops.Set(hops.Length(), hop);
    }
    object.Set("hops", hops);
    return object;
}

Napi::Number count(Napi::Env env, std::uint64_t value) {
    return Napi::Number::New(env, static_cast<double>(value));
}

}  // namespace

std::string octetsFrom(const Napi::Value& value, const char* name) {
    if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
        throw Napi::TypeError::New(value.Env(), std::string(name) + " must be a Uint8Array");
    }
    const auto array = value.As<Napi::Uint8Array>();
    return {reinterpret_cast<const char*>(array.Data()), array.ByteLength()};
}

double numberFrom(const Napi::Object& object, const char* name, double otherwise) {
    const Napi::Value value = object.Get(name);
    if (value.IsUndefined()) return otherwise;
    if (!value.IsNumber()) throw Napi::TypeError::New(object.Env(), std::string(name) + " must be a number");
    return value.As<Napi::Number>().DoubleValue();
}

bool flagFrom(const Napi::Object& object, const char* name, bool otherwise) {
    const Napi::Value value = object.Get(name);
    return value.IsUndefined() ? otherwise : value.ToBoolean().Value();
}

std::string textFrom(const Napi::Object& object, const char* name) {
    const Napi::Value value = object.Get(name);
    return value.IsUndefined() || value.IsNull() ? std::string() : value.ToString().Utf8Value();
}

OwnedLease leaseFrom(const Napi::Object& object) {
    OwnedLease lease;
    lease.address = octetsFrom(object.Get("address"), "address");
    lease.type = numberFrom(object, "type", 0) == 1 ? LeaseType::prefix : LeaseType::address;
    lease.prefix_length = static_cast<std::uint8_t>(numberFrom(object, "prefixLength", 0));
    lease.state = uint32Of(object, "state");
    lease.valid_lifetime = uint32Of(object, "validLifetime");
    lease.preferred_lifetime = uint32Of(object, "preferredLifetime");
    lease.cltt = static_cast<std::uint64_t>(numberFrom(object, "cltt", 0));
    lease.subnet_id = uint32Of(object, "subnetId");
    lease.pool_id = uint32Of(object, "poolId");
    lease.iaid = uint32Of(object, "iaid");
    lease.hardware_type = uint32Of(object, "hardwareType");
    lease.hardware_address = octetsOf(object, "hardwareAddress");
    lease.client_id = octetsOf(object, "clientId");
    lease.hostname = octetsOf(object, "hostname");
    lease.fqdn_forward = flagFrom(object, "fqdnForward", false);
    lease.fqdn_reverse = flagFrom(object, "fqdnReverse", false);
    OwnedRelay relay = relayFrom(object, "storedRelay");
    lease.agent_info = std::move(relay.agent_info);
    lease.hops = std::move(relay.hops);
    return lease;
}

OwnedPacket packetFrom(const Napi::Object& object) {
    OwnedPacket packet;
    packet.message_type = uint32Of(object, "messageType");
    packet.options = octetsOf(object, "options");
    OwnedRelay relay = relayFrom(object, "relay");
    packet.agent_info = std::move(relay.agent_info);
    packet.hops = std::move(relay.hops);
    packet.source = std::move(relay.source);
    return packet;
}

Origin originFrom(const Napi::Object& object) {
    const double origin = numberFrom(object, "origin", 0);
    if (origin < 0 || origin > 4) throw Napi::RangeError::New(object.Env(), "origin must be 0 to 4");
    return static_cast<Origin>(static_cast<int>(origin));
}

Napi::Object toObject(Napi::Env env, const LeaseView& lease) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("address", octetsTo(env, lease.address));
    object.Set("type", static_cast<int>(lease.type));
    object.Set("prefixLength", lease.prefix_length);
    object.Set("state", lease.state);
    object.Set("validLifetime", lease.valid_lifetime);
    object.Set("preferredLifetime", lease.preferred_lifetime);
    object.Set("cltt", count(env, lease.cltt));
    object.Set("subnetId", lease.subnet_id);
    object.Set("poolId", lease.pool_id);
    object.Set("iaid", lease.iaid);
    object.Set("hardwareType", lease.hardware_type);
    object.Set("hardwareAddress", octetsTo(env, lease.hardware_address));
    object.Set("clientId", octetsTo(env, lease.client_id));
    object.Set("hostname", octetsTo(env, lease.hostname));
    object.Set("fqdnForward", lease.fqdn_forward);
    object.Set("fqdnReverse", lease.fqdn_reverse);
    if (!lease.stored_relay.empty()) object.Set("storedRelay", relayTo(env, lease.stored_relay));
    return object;
}

Napi::Object toObject(Napi::Env env, const FeedStatus& status) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("epoch", status.epoch_hex);
    object.Set("lastSeq", count(env, status.last_seq));
    object.Set("oldestSeq", count(env, status.oldest_seq));
    object.Set("overwritten", count(env, status.overwritten));
    object.Set("lost", count(env, status.lost));
    object.Set("cut", count(env, status.cut));
    object.Set("published", count(env, status.published));
    object.Set("pages", count(env, status.pages));
    object.Set("pagesFailed", count(env, status.pages_failed));
    object.Set("pageLongestUs", count(env, status.page_longest_us));
    object.Set("replays", count(env, status.replays));
    object.Set("badRequests", count(env, status.bad_requests));
    object.Set("ringLockLongestNs", count(env, status.ring_lock_longest_ns));
    object.Set("ringEvents", count(env, status.ring_events));
    object.Set("ringOctets", count(env, status.ring_octets));
    Napi::Array followers = Napi::Array::New(env);
    for (const FollowerReport& report : status.followers) {
        Napi::Object row = Napi::Object::New(env);
        row.Set("follower", report.follower);
        row.Set("state", report.state);
        row.Set("appliedSeq", count(env, report.applied_seq));
        row.Set("bindings", count(env, report.bindings));
        row.Set("requestors", report.requestors);
        row.Set("ageMs", count(env, report.age_ms));
        Napi::Array problems = Napi::Array::New(env);
        for (const auto& problem : report.problems) {
            Napi::Object entry = Napi::Object::New(env);
            entry.Set("parameter", problem.first);
            entry.Set("text", problem.second);
            problems.Set(problems.Length(), entry);
        }
        row.Set("problems", problems);
        followers.Set(followers.Length(), row);
    }
    object.Set("followers", followers);
    return object;
}

}  // namespace lease_feed
