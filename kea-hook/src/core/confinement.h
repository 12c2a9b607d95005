// What a refusal has to do with AppArmor, whose own words go to another log.
#pragma once

#include <string>

namespace lease_feed {

/// What to add to a sentence about a refused file or socket: empty, or that this process is confined and by which profile.
/// @param error errno
/// @param attribute_file where the kernel says how this process is confined
std::string confinementHint(int error, const std::string& attribute_file = "/proc/self/attr/current");

}  // namespace lease_feed
