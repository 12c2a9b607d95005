// What the layer above says of itself and may replace while the feed runs. Any thread.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "config_pages.h"
#include "reply.h"

namespace lease_feed {

class Facts {
public:
    struct View {
        Generations generations;
        std::shared_ptr<const ConfigPages> config;
        std::shared_ptr<const std::string> service;
    };

    View view() const {
        const std::lock_guard<std::mutex> hold(mutex_);
        return view_;
    }
    /// @return true when it is another one than before
    bool setConfig(ConfigPages config) {
        return replace(view_.config, view_.generations.config, std::move(config));
    }
    bool setService(std::string json) { return replace(view_.service, view_.generations.service, std::move(json)); }
    void resync() {
        const std::lock_guard<std::mutex> hold(mutex_);
        ++view_.generations.resync;
    }

private:
    template <typename Fact>
    bool replace(std::shared_ptr<const Fact>& held, std::uint64_t& generation, Fact fresh) {
        auto next = std::make_shared<const Fact>(std::move(fresh));
        const std::lock_guard<std::mutex> hold(mutex_);
        if (generation != 0 && *held == *next) return false;
        held = std::move(next);
        ++generation;
        return true;
    }

    mutable std::mutex mutex_;
    View view_{{}, std::make_shared<const ConfigPages>(), std::make_shared<const std::string>()};
};

}  // namespace lease_feed
