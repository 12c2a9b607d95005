// What the layer above says of itself and may replace while the feed runs. Any thread.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "reply.h"

namespace lease_feed {

class Facts {
public:
    struct View {
        Generations generations;
        std::shared_ptr<const std::string> config;
        std::shared_ptr<const std::string> service;
    };

    View view() const {
        const std::lock_guard<std::mutex> hold(mutex_);
        return view_;
    }
    /// @return true when it is another one than before
    bool setConfig(std::string subnets) {
        return replace(view_.config, view_.generations.config, std::move(subnets));
    }
    bool setService(std::string json) { return replace(view_.service, view_.generations.service, std::move(json)); }
    void resync() {
        const std::lock_guard<std::mutex> hold(mutex_);
        ++view_.generations.resync;
    }

private:
    bool replace(std::shared_ptr<const std::string>& held, std::uint64_t& generation, std::string fresh) {
        auto next = std::make_shared<const std::string>(std::move(fresh));
        const std::lock_guard<std::mutex> hold(mutex_);
        if (generation != 0 && *held == *next) return false;
        held = std::move(next);
        ++generation;
        return true;
    }

    mutable std::mutex mutex_;
    View view_{{}, std::make_shared<const std::string>(), std::make_shared<const std::string>()};
};

}  // namespace lease_feed
