#include "kea.h"

#include "log.h"

#include <log/log_dbglevels.h>
#include <log/message_initializer.h>

#include <cstring>

namespace lease_feed {

#define LEASE_FEED_DEFINE(id, text) extern const isc::log::MessageID id = #id;
LEASE_FEED_MESSAGES(LEASE_FEED_DEFINE)
LEASE_FEED_CORE_MESSAGES(LEASE_FEED_DEFINE)
#undef LEASE_FEED_DEFINE

namespace {

#define LEASE_FEED_TEXT(id, text) #id, text,
const char* texts[] = {LEASE_FEED_MESSAGES(LEASE_FEED_TEXT) LEASE_FEED_CORE_MESSAGES(LEASE_FEED_TEXT) nullptr};
#undef LEASE_FEED_TEXT

// Read by Kea when it opens the library.
const isc::log::MessageInitializer initializer(texts);

// Kea keeps the pointer, so it must be one of the table's; an id that the table lacks is still shown.
isc::log::MessageID known(const char* id) {
    for (const char** entry = texts; *entry; entry += 2) {
        if (std::strcmp(*entry, id) == 0) {
            return *entry;
        }
    }
    return nullptr;
}

}  // namespace

isc::log::Logger logger("lease-feed-hooks");

void KeaLog::write(Level level, const char* id, const std::string& text) {
    isc::log::MessageID message = known(id);
    const std::string shown = message ? text : std::string(id) + " " + text;
    if (!message) {
        message = LEASE_FEED_NOTE;
    }
    switch (level) {
    case Level::debug:
        LOG_DEBUG(logger, isc::log::DBGLVL_TRACE_BASIC, message).arg(shown);
        break;
    case Level::info:
        LOG_INFO(logger, message).arg(shown);
        break;
    case Level::warn:
        LOG_WARN(logger, message).arg(shown);
        break;
    case Level::error:
        LOG_ERROR(logger, message).arg(shown);
        break;
    }
}

}  // namespace lease_feed
