// What was meant by a name that is not known.
#pragma once

#include <string>
#include <vector>

namespace lease_feed {

/// The known name that differs least, if it differs little; else an empty one.
std::string nearest(const std::string& name, const std::vector<std::string>& known);

}  // namespace lease_feed
