#include "request.h"

#include <protozero/exception.hpp>
#include <protozero/pbf_reader.hpp>

#include "proto_fields.h"

namespace lease_feed {
namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;

// Matched with the wire type, because the reader's getters only assert it: a field of another type is an unknown one.
constexpr std::uint32_t number(field::Tag tag) {
    return protozero::tag_and_type(tag, pbf_wire_type::varint);
}
constexpr std::uint32_t octets(field::Tag tag) {
    return protozero::tag_and_type(tag, pbf_wire_type::length_delimited);
}

Octets view(pbf_reader& reader) {
    const auto data = reader.get_view();
    return {data.data(), data.size()};
}

HelloRequest decodeHello(pbf_reader reader) {
    HelloRequest hello;
    while (reader.next()) {
        switch (reader.tag_and_type()) {
        case number(field::hello_request::contract_major): hello.contract_major = reader.get_uint32(); break;
        case number(field::hello_request::contract_minor): hello.contract_minor = reader.get_uint32(); break;
        case octets(field::hello_request::follower): hello.follower = view(reader); break;
        default: reader.skip();
        }
    }
    return hello;
}

ReplayRequest decodeReplay(pbf_reader reader) {
    ReplayRequest replay;
    while (reader.next()) {
        switch (reader.tag_and_type()) {
        case number(field::replay_request::from_seq): replay.from_seq = reader.get_uint64(); break;
        case number(field::replay_request::limit): replay.limit = reader.get_uint32(); break;
        default: reader.skip();
        }
    }
    return replay;
}

PageRequest decodePage(pbf_reader reader) {
    PageRequest page;
    while (reader.next()) {
        switch (reader.tag_and_type()) {
        case number(field::page_request::walk): page.walk = reader.get_uint64(); break;
        case octets(field::page_request::after): page.after = view(reader); break;
        case number(field::page_request::limit): page.limit = reader.get_uint32(); break;
        default: reader.skip();
        }
    }
    return page;
}

ConfigRequest decodeConfig(pbf_reader reader) {
    ConfigRequest config;
    while (reader.next()) {
        switch (reader.tag_and_type()) {
        case number(field::config_request::page): config.page = reader.get_uint32(); break;
        case number(field::config_request::generation): config.generation = reader.get_uint64(); break;
        default: reader.skip();
        }
    }
    return config;
}

std::pair<Octets, Octets> decodeProblem(pbf_reader reader) {
    std::pair<Octets, Octets> problem;
    while (reader.next()) {
        switch (reader.tag_and_type()) {
        case octets(field::problem::parameter): problem.first = view(reader); break;
        case octets(field::problem::text): problem.second = view(reader); break;
        default: reader.skip();
        }
    }
    return problem;
}

ReportRequest decodeReport(pbf_reader reader) {
    ReportRequest report;
    while (reader.next()) {
        switch (reader.tag_and_type()) {
        case octets(field::report::follower): report.follower = view(reader); break;
        case octets(field::report::state): report.state = view(reader); break;
        case number(field::report::applied_seq): report.applied_seq = reader.get_uint64(); break;
        case number(field::report::bindings): report.bindings = reader.get_uint64(); break;
        case number(field::report::requestors): report.requestors = reader.get_uint32(); break;
        case octets(field::report::problems):
            if (report.problems.size() < kMostProblems)
                report.problems.push_back(decodeProblem(reader.get_message()));
            else reader.skip();
            break;
        default: reader.skip();
        }
    }
    return report;
}

}  // namespace

Request decodeRequest(Octets frame) {
    std::optional<std::uint64_t> id;
    Request request;
    try {
        // The id first, wherever it stands: what is wrong in the body can then be answered.
        for (pbf_reader reader{frame.data(), frame.size()}; reader.next();) {
            if (reader.tag_and_type() == number(field::request::id)) id = reader.get_uint64();
            else reader.skip();
        }
        pbf_reader reader{frame.data(), frame.size()};
        while (reader.next()) {
            switch (reader.tag_and_type()) {
            case number(field::request::id): request.id = reader.get_uint64(); break;
            case octets(field::request::epoch): request.epoch = view(reader); break;
            case octets(field::request::hello): request.body = decodeHello(reader.get_message()); break;
            case octets(field::request::replay): request.body = decodeReplay(reader.get_message()); break;
            case octets(field::request::page): request.body = decodePage(reader.get_message()); break;
            case octets(field::request::config): request.body = decodeConfig(reader.get_message()); break;
            case octets(field::request::report): request.body = decodeReport(reader.get_message()); break;
            default: reader.skip();
            }
        }
    } catch (const protozero::exception& error) {
        throw BadRequest(std::string("the request is no message of this contract: ") + error.what(), id);
    }
    if (std::holds_alternative<std::monostate>(request.body)) {
        throw BadRequest("the request has no body that this hook knows", id);
    }
    return request;
}

}  // namespace lease_feed
