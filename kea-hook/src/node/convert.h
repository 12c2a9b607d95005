// JavaScript values to leases and back. Names are those of proto/lease_feed.proto in camel case; octets are
// Uint8Arrays; what is absent has its default value.
#pragma once

#include <napi.h>

#include <string>

#include "simulated_leases.h"

namespace lease_feed {

std::string octetsFrom(const Napi::Value& value, const char* name);
/// @return `otherwise` when there is no such property
double numberFrom(const Napi::Object& object, const char* name, double otherwise);
bool flagFrom(const Napi::Object& object, const char* name, bool otherwise);
std::string textFrom(const Napi::Object& object, const char* name);

OwnedLease leaseFrom(const Napi::Object& object);
OwnedPacket packetFrom(const Napi::Object& object);
Origin originFrom(const Napi::Object& object);

Napi::Object toObject(Napi::Env env, const LeaseView& lease);
Napi::Object toObject(Napi::Env env, const FeedStatus& status);

}  // namespace lease_feed
