#include "kea.h"

#include "from_kea.h"

#include <cc/data.h>
#include <dhcp/dhcp4.h>
#include <dhcp/dhcp6.h>
#include <dhcp/option.h>

#include <algorithm>
#include <typeinfo>

using isc::asiolink::IOAddress;
using isc::data::ConstElementPtr;
using isc::data::Element;
using isc::dhcp::Lease;
using isc::dhcp::Lease4;
using isc::dhcp::Lease6;
using isc::dhcp::Option;
using isc::dhcp::OptionCollection;
using isc::dhcp::DHO_DHCP_AGENT_OPTIONS;
using isc::dhcp::DHO_DHCP_MESSAGE_TYPE;
using isc::dhcp::Pkt4;
using isc::dhcp::Pkt6;
using isc::util::OutputBuffer;

namespace lease_feed {
namespace {

int digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

// Appends nothing at all if the text is not hexadecimal: half an option would be worse than none.
bool appendHex(std::string& to, const std::string& text) {
    const std::size_t begin = text.size() >= 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 2 : 0;
    if ((text.size() - begin) % 2 != 0) {
        return false;
    }
    const std::size_t before = to.size();
    for (std::size_t i = begin; i < text.size(); i += 2) {
        const int high = digit(text[i]);
        const int low = digit(text[i + 1]);
        if (high < 0 || low < 0) {
            to.resize(before);
            return false;
        }
        to.push_back(static_cast<char>(high << 4 | low));
    }
    return true;
}

// The extended info of a lease: a map under "ISC" in its user context.
ConstElementPtr extendedInfo(const Lease& lease, const char* newer, const char* older) {
    const ConstElementPtr context = lease.getContext();
    if (!context || context->getType() != Element::map) {
        return ConstElementPtr();
    }
    const ConstElementPtr isc = context->get("ISC");
    if (!isc || isc->getType() != Element::map) {
        return ConstElementPtr();
    }
    const ConstElementPtr info = isc->get(newer);
    return info || !older ? info : isc->get(older);
}

// "0x..." of the sub-options since 2.3.2 in a map, before that the text itself.
void readStoredRelay4(const Lease4& lease, std::string& agent_info) {
    ConstElementPtr info = extendedInfo(lease, "relay-agent-info", nullptr);
    if (info && info->getType() == Element::map) {
        info = info->get("sub-options");
    }
    if (info && info->getType() == Element::string) {
        appendHex(agent_info, info->stringValue());
    }
}

void readStoredRelay6(const Lease6& lease, std::string& hops) {
    const ConstElementPtr relays = extendedInfo(lease, "relay-info", "relays");
    if (!relays || relays->getType() != Element::list) {
        return;
    }
    std::string options;
    for (const auto& relay : relays->listValue()) {
        if (!relay || relay->getType() != Element::map) {
            continue;
        }
        const ConstElementPtr hop = relay->get("hop");
        const ConstElementPtr link = relay->get("link");
        const ConstElementPtr peer = relay->get("peer");
        const ConstElementPtr sent = relay->get("options");
        if (!link || link->getType() != Element::string || !peer || peer->getType() != Element::string) {
            continue;
        }
        options.clear();
        if (sent && sent->getType() == Element::string) {
            appendHex(options, sent->stringValue());
        }
        const AddressOctets link_octets{IOAddress(link->stringValue())};
        const AddressOctets peer_octets{IOAddress(peer->stringValue())};
        const bool counted = hop && hop->getType() == Element::integer;
        encodeRelayHop(hops, counted ? static_cast<std::uint32_t>(hop->intValue()) : 0, link_octets.view(),
                       peer_octets.view(), options);
    }
}

LeaseView viewOfAny(const Lease& lease, LeaseScratch& scratch) {
    LeaseView view;
    scratch.address.set(lease.addr_);
    scratch.agent_info.clear();
    scratch.hops.clear();
    view.address = scratch.address.view();
    view.state = lease.state_;
    view.valid_lifetime = lease.valid_lft_;
    view.cltt = lease.cltt_ < 0 ? 0 : static_cast<std::uint64_t>(lease.cltt_);
    view.subnet_id = lease.subnet_id_;
    view.pool_id = lease.pool_id_;
    if (lease.hwaddr_) {
        view.hardware_type = lease.hwaddr_->hwaddr_.empty() ? 0 : lease.hwaddr_->htype_;
        view.hardware_address = octets(lease.hwaddr_->hwaddr_);
    }
    view.hostname = lease.hostname_;
    view.fqdn_forward = lease.fqdn_fwd_;
    view.fqdn_reverse = lease.fqdn_rev_;
    return view;
}

// A value over 255 octets goes out as several options of one code (RFC 3396).
void appendOption4(std::string& to, std::uint8_t code, Octets value) {
    if (value.size() <= 255) {
        const char header[2] = {static_cast<char>(code), static_cast<char>(value.size())};
        to.append(header, sizeof(header)).append(value);
        return;
    }
    do {
        const Octets part = value.substr(0, 255);
        to.push_back(static_cast<char>(code));
        to.push_back(static_cast<char>(part.size()));
        to.append(part);
        value.remove_prefix(part.size());
    } while (!value.empty());
}

// Kea's own encoding of one option, header included.
Octets packed(const Option& option, OutputBuffer& buffer) {
    buffer.clear();
    option.pack(buffer, false);
    return Octets(reinterpret_cast<const char*>(buffer.getData()), buffer.getLength());
}

Octets payload4(const Option& option, OutputBuffer& buffer) {
    if (typeid(option) == typeid(Option) && option.getOptions().empty()) {
        return octets(option.getData());  // most are plain octets: no need to pack them
    }
    const Octets whole = packed(option, buffer);
    return whole.size() < Option::OPTION4_HDR_LEN ? Octets() : whole.substr(Option::OPTION4_HDR_LEN);
}

void appendOption6(std::string& to, const Option& option, OutputBuffer& buffer) {
    if (typeid(option) == typeid(Option) && option.getOptions().empty()) {
        const Octets value = octets(option.getData());
        const char header[4] = {static_cast<char>(option.getType() >> 8), static_cast<char>(option.getType()),
                                static_cast<char>(value.size() >> 8), static_cast<char>(value.size())};
        to.append(header, sizeof(header)).append(value);
    } else {
        to.append(packed(option, buffer));
    }
}

// The payload of option 82, sub-options by code as Kea packs and stores them.
void appendAgentInfo(std::string& to, const Option& agent, OutputBuffer& buffer) {
    if (agent.getOptions().empty()) {
        to.append(payload4(agent, buffer));
        return;
    }
    for (const auto& sub_option : agent.getOptions()) {
        appendOption4(to, static_cast<std::uint8_t>(sub_option.first), payload4(*sub_option.second, buffer));
    }
}

// Never through getOption(): inside a callout that would replace the packet's option by a copy.
const Option* find(const OptionCollection& options, std::uint16_t code) {
    const auto found = options.find(code);
    return found == options.end() ? nullptr : found->second.get();
}

}  // namespace

void AddressOctets::set(const IOAddress& address) {
    if (address.isV4()) {
        const std::uint32_t number = address.toUint32();
        data[0] = static_cast<char>(number >> 24);
        data[1] = static_cast<char>(number >> 16);
        data[2] = static_cast<char>(number >> 8);
        data[3] = static_cast<char>(number);
        length = 4;
    } else {
        const std::vector<std::uint8_t> bytes = address.toBytes();
        length = static_cast<std::uint8_t>(std::min(bytes.size(), data.size()));
        std::copy_n(bytes.begin(), length, data.begin());
    }
}

LeaseView viewOf(const Lease4& lease, LeaseScratch& scratch, bool stored_relay) {
    LeaseView view = viewOfAny(lease, scratch);
    if (lease.client_id_) {
        view.client_id = octets(lease.client_id_->getClientId());
    }
    if (stored_relay) {
        readStoredRelay4(lease, scratch.agent_info);
        view.stored_relay.agent_info = scratch.agent_info;
    }
    return view;
}

LeaseView viewOf(const Lease6& lease, LeaseScratch& scratch, bool stored_relay) {
    LeaseView view = viewOfAny(lease, scratch);
    if (lease.type_ == Lease::TYPE_PD) {
        view.type = LeaseType::prefix;
        view.prefix_length = lease.prefixlen_;
    }
    view.preferred_lifetime = lease.preferred_lft_;
    view.iaid = lease.iaid_;
    if (lease.duid_) {
        view.client_id = octets(lease.duid_->getDuid());
    }
    if (stored_relay) {
        readStoredRelay6(lease, scratch.hops);
        view.stored_relay.encoded_hops = scratch.hops;
    }
    return view;
}

PacketView viewOf(const Pkt4& packet, const std::vector<std::uint16_t>& captured, PacketScratch& scratch) {
    PacketView view;
    scratch.agent_info.clear();
    scratch.options.clear();
    if (const Option* type = find(packet.options_, DHO_DHCP_MESSAGE_TYPE)) {
        const Octets value = payload4(*type, scratch.buffer);
        view.message_type = value.empty() ? 0 : static_cast<std::uint8_t>(value[0]);
    }
    if (const Option* agent = find(packet.options_, DHO_DHCP_AGENT_OPTIONS)) {
        appendAgentInfo(scratch.agent_info, *agent, scratch.buffer);
    }
    for (const std::uint16_t code : captured) {
        if (code == DHO_DHCP_AGENT_OPTIONS) {
            continue;  // in relay.agent_info
        }
        const auto range = packet.options_.equal_range(code);
        for (auto it = range.first; it != range.second; ++it) {
            appendOption4(scratch.options, static_cast<std::uint8_t>(code), payload4(*it->second, scratch.buffer));
        }
    }
    view.relay.agent_info = scratch.agent_info;
    view.options = scratch.options;
    return view;
}

PacketView viewOf(const Pkt6& packet, const std::vector<std::uint16_t>& captured, PacketScratch& scratch) {
    PacketView view;
    scratch.hops.clear();
    scratch.options.clear();
    view.message_type = packet.getType();
    for (const auto& relay : packet.relay_info_) {
        // Kea keeps the relay message itself out of these options.
        scratch.hop_options.clear();
        for (const auto& option : relay.options_) {
            appendOption6(scratch.hop_options, *option.second, scratch.buffer);
        }
        const AddressOctets link(relay.linkaddr_);
        const AddressOctets peer(relay.peeraddr_);
        encodeRelayHop(scratch.hops, relay.hop_count_, link.view(), peer.view(), scratch.hop_options);
    }
    for (const std::uint16_t code : captured) {
        const auto range = packet.options_.equal_range(code);
        for (auto it = range.first; it != range.second; ++it) {
            appendOption6(scratch.options, *it->second, scratch.buffer);
        }
    }
    view.relay.encoded_hops = scratch.hops;
    if (!packet.relay_info_.empty()) {
        scratch.source.set(packet.getRemoteAddr());
        view.relay.source = scratch.source.view();
    }
    view.options = scratch.options;
    return view;
}

}  // namespace lease_feed
