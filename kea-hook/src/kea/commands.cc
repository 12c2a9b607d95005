#include "kea.h"

#include "commands.h"

#include <cc/command_interpreter.h>
#include <hooks/callout_handle.h>

#include "hook.h"

using isc::config::createAnswer;
using isc::data::ConstElementPtr;
using isc::hooks::CalloutHandle;

namespace lease_feed {
namespace {

template <typename F>
int answered(CalloutHandle& handle, F&& answer) noexcept {
    try {
        ConstElementPtr response;
        try {
            Hook* hook = Hook::loaded();
            response = hook ? answer(*hook)
                            : createAnswer(isc::config::CONTROL_RESULT_ERROR, "The lease feed is not loaded.");
        } catch (const std::exception& problem) {
            response = createAnswer(isc::config::CONTROL_RESULT_ERROR, problem.what());
        }
        handle.setArgument("response", response);
    } catch (...) {
        return 1;  // Kea says itself that the command failed
    }
    return 0;
}

}  // namespace

extern "C" {

static int leaseFeedStatus(CalloutHandle& handle) {
    return answered(handle, [](Hook& hook) {
        return createAnswer(isc::config::CONTROL_RESULT_SUCCESS, "State of the lease feed.", hook.status());
    });
}

static int leaseFeedResync(CalloutHandle& handle) {
    return answered(handle, [](Hook& hook) {
        return hook.resync() ? createAnswer(isc::config::CONTROL_RESULT_SUCCESS,
                                            "Every follower is asked to read all leases anew.")
                             : createAnswer(isc::config::CONTROL_RESULT_ERROR, "The lease feed does not run.");
    });
}

}

void registerCommands(isc::hooks::LibraryHandle& handle) {
    handle.registerCommandCallout("lease-feed-status", leaseFeedStatus);
    handle.registerCommandCallout("lease-feed-resync", leaseFeedResync);
}

}  // namespace lease_feed
