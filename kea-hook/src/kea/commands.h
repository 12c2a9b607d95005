// The commands that the library adds to the server's control channel.
#pragma once

#include <hooks/library_handle.h>

namespace lease_feed {

/// lease-feed-status and lease-feed-resync. Kea takes them away by itself when the library goes.
void registerCommands(isc::hooks::LibraryHandle& handle);

}  // namespace lease_feed
